/* externref_collection.h: the methods of an ExternrefTableBase that collect externrefs. */
#ifndef WPY_EXTERNREF_COLLECTION_H
#define WPY_EXTERNREF_COLLECTION_H

#include "cpython/cpython.h"

PyObject *wpy_externrefs_begin(PyObject *table, PyObject *args);
PyObject *wpy_externrefs_sweep(PyObject *table, PyObject *args);
PyObject *wpy_externrefs_end(PyObject *table, PyObject *args);

#endif
