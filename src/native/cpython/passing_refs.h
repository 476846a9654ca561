/* passing_refs.h: when externrefs may be passed, and when they may be collected. */
#ifndef WPY_PASSING_REFS_H
#define WPY_PASSING_REFS_H

#include "cpython/locks.h"

/* How far a collection of externrefs has come (externref_collection.c). */
typedef enum {
    NOT_COLLECTING,
    DRAINING, /* it waits for the calls that passed references when it began */
    MARKING,
    MARKED, /* it waits for the calls that passed references during the marking */
} CollectionState;

/* The head of an ExternrefTableBase. On free-threaded builds `lock` guards all of the table. */
typedef struct {
    PyObject_HEAD
    WPY_MUTEX(lock);
    uint32_t held;    /* objects in the table */
    uint32_t limit;   /* of `held`: from here on a collection is due; 0 while one drains or marks */
    uint32_t passing; /* calls that pass references, are not suspended, and not in `late` */
    uint32_t late;    /* those that began while a collection was draining or marking */
    uint8_t state;    /* a CollectionState */
} ExternrefCounts;

/* Whether the table holds so many objects that a collection is due, or one is draining or marking.
 * Under the table's lock. */
static inline bool
wpy_collection_is_due(PyObject *table)
{
    return ((ExternrefCounts *)table)->held >= ((ExternrefCounts *)table)->limit;
}

/* A call brackets its use of externrefs with these two. In between, references may be in neither
 * Python's nor wasm's hands, so a collection waits for the call. wpy_begin_passing returns false,
 * without an exception, where a collection is due or has begun, or there is no memory; then the
 * call has to go through Python. `table` is borrowed, and must outlive the bracket. */
bool wpy_begin_passing(PyObject *table);
void wpy_end_passing(PyObject *table);
/* The same for an access that only reads references: also where a collection is due. */
bool wpy_begin_reading(PyObject *table);

/* In the child of a fork, where the calls of the parent's other threads never end: counts only
 * those of this thread. Under the table's lock. */
void wpy_passing_reset(PyObject *table);

/* A method of ExternrefTableBase: returns a new context manager for the same, for one block of the
 * present thread. It keeps the table alive. NULL with an exception where there is no memory. */
PyObject *wpy_passing_block(PyObject *table, PyObject *args);
/* While a host function runs, the references of the calls that led to it are on the wasm stack,
 * where a collection finds them: these calls are suspended. Returns their number for
 * wpy_passing_resume. */
PyObject *wpy_passing_suspend(PyObject *table, PyObject *args);
PyObject *wpy_passing_resume(PyObject *table, PyObject *count);

#endif
