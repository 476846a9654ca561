/* passing_refs.h: tells the collection of externrefs which threads pass references just now. */
#ifndef WPY_PASSING_REFS_H
#define WPY_PASSING_REFS_H

#include "cpython/externref_table.h"

/* A call brackets its use of externrefs with these two. In between, references may be in neither
 * Python's nor wasm's hands, so no collection takes place. wpy_begin_passing returns false, without
 * an exception, where a collection is due or there is no memory; then the call has to go through
 * Python. `table` is borrowed, and must outlive the bracket. */
bool wpy_begin_passing(PyObject *table);
void wpy_end_passing(PyObject *table);

/* The methods of ExternrefTableBase for the same, for Python. */
PyObject *wpy_passing_enter(PyObject *table, PyObject *args);
PyObject *wpy_passing_leave(PyObject *table, PyObject *args);
/* While a host function runs, the references of the calls that led to it are on the wasm stack,
 * where a collection finds them: these calls are suspended. Returns their number for
 * wpy_passing_resume. */
PyObject *wpy_passing_suspend(PyObject *table, PyObject *args);
PyObject *wpy_passing_resume(PyObject *table, PyObject *count);

#endif
