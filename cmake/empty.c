/* empty.c: a source file for the library wpy, which needs one even where WPY_SOURCES is empty. */
typedef int wpy_empty;
