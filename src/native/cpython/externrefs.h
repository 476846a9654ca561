/* externrefs.h: the table of the objects behind a store's externrefs, for the rest of this folder.
 */
#ifndef WPY_CPYTHON_EXTERNREFS_H
#define WPY_CPYTHON_EXTERNREFS_H

#include "cpython/passing_refs.h"

/* The null reference, of functions and of externrefs. */
#define WPY_NULL_REFERENCE UINT32_MAX

/* Objects by their references, which are indices. See externrefs.c. */
typedef struct {
    ExternrefCounts counts;
    PyObject **items; /* by reference; NULL where the reference is free */
    uint8_t *touched; /* by reference: asked for since the collection began */
    uint32_t *spare;  /* a stack of the free references below `count` */
    uint32_t count, room, spare_count;
    uint32_t *slots; /* a hash table by address, of reference + 1; 0 where a slot is empty */
    uint32_t mask;   /* the number of slots - 1 */
    bool collecting;
} ExternrefTableBase;

/* The table of the store that a Lifetime belongs to. A new reference, or NULL with an exception. */
PyObject *wpy_externrefs_of(PyObject *lifetime);

/* The reference for an object, which the table holds from now on; the null reference for None.
 * False for objects that Python has to convert, and where there is no memory; no exception is set.
 */
bool wpy_externref_from_object(PyObject *table, PyObject *value, uint32_t *ref);

/* A new reference to the object behind `ref`; NULL with an exception where there is none. */
PyObject *wpy_externref_to_object(PyObject *table, uint32_t ref);

/* Fills the hash table again, with slots for `room` objects at least. False where there is no
 * memory; can't fail where it does not have to grow. Under the table's lock. */
bool wpy_externrefs_rehash(ExternrefTableBase *table, uint32_t room);

/* ---- externref_collection.c: the methods begin, sweep and end of the table ---- */

PyObject *wpy_externrefs_begin(PyObject *table, PyObject *args);
PyObject *wpy_externrefs_sweep(PyObject *table, PyObject *args);
PyObject *wpy_externrefs_end(PyObject *table, PyObject *args);

#endif
