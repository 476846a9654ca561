/* externref_table.h: the struct of the table that externrefs.c manages and passing_refs.c counts
 * in. */
#ifndef WPY_CPYTHON_EXTERNREF_TABLE_H
#define WPY_CPYTHON_EXTERNREF_TABLE_H

#include "cpython/cpython.h"

/* The null reference, of functions and of externrefs. */
#define WPY_NULL_REFERENCE UINT32_MAX

/* Objects by their references, which are indices. See externrefs.c. */
typedef struct {
    PyObject_HEAD
    PyObject **items; /* by reference; NULL where the reference is free */
    uint8_t *touched; /* by reference: asked for since the collection began */
    uint32_t *spare;  /* a stack of the free references below `count` */
    uint32_t count, room, spare_count, held; /* `held`: the items that are not NULL */
    uint32_t *slots;  /* a hash table by address, of reference + 1; 0 where a slot is empty */
    uint32_t mask;    /* the number of slots - 1 */
    uint32_t passing; /* calls that pass references, and are not suspended (passing_refs.c) */
    uint32_t limit;   /* of `held`: from here on a collection is due */
    bool collecting;
} ExternrefTableBase;

/* Whether the table holds so many objects that a collection is due. */
static inline bool
wpy_collection_is_due(PyObject *table)
{
    return ((ExternrefTableBase *)table)->held >= ((ExternrefTableBase *)table)->limit;
}

#endif
