/* A library needs a source file; wpy starts with none until ours are passed in WPY_SOURCES. */
typedef int wpy_empty;
