/* A library needs at least one source file, and WPY_SOURCES may be empty. */
typedef int wpy_empty;
