/* externrefs.h: the table of the objects behind a store's externrefs, for the rest of this folder.
 */
#ifndef WPY_CPYTHON_EXTERNREFS_H
#define WPY_CPYTHON_EXTERNREFS_H

#include "cpython/cpython.h"

/* The null reference, of functions and of externrefs. */
#define WPY_NULL_REFERENCE UINT32_MAX

/* The table of the store that a Lifetime belongs to. A new reference, or NULL with an exception. */
PyObject *wpy_externrefs_of(PyObject *lifetime);

/* The reference for an object, which the table holds from now on; the null reference for None.
 * False for objects that Python has to convert, and where there is no memory; no exception is set.
 */
bool wpy_externref_from_object(PyObject *table, PyObject *value, uint32_t *ref);

/* A new reference to the object behind `ref`; NULL with an exception where there is none. */
PyObject *wpy_externref_to_object(PyObject *table, uint32_t ref);

#endif
