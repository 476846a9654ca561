/* reference_slot.h: where references rest: what a table (table.c) and a global (global.c) have in
 * common.
 */
#ifndef WPY_PLACE_H
#define WPY_PLACE_H

#include "cpython/cpython.h"

typedef struct {
    void *object;    /* the wpy_table or wpy_global: a handle, ours; NULL: not known yet, or it was
                        given back */
    PyObject *owner; /* its Owner (src/wamr/_runtime/extern.py), which says whether it is closed;
                        NULL: cleared by the collector */
    PyObject *kept;  /* the owner's dict of what lives as long, by id */
    PyObject *numbers; /* of the store's externrefs; NULL: the place has none */
    uint8_t kind;      /* of its values, a byte of the binary format */
} Place;

/* `_ready(address, kind, owner)` of Elements and Cell: the place is that of the handle at the
   address, which stays its caller's: the place counts one of its own. None, or NULL with an
   exception. */
PyObject *wpy_place_ready(Place *place, PyObject *args);
int wpy_place_traverse(const Place *place, visitproc visit, void *arg);
/* For the collector, and part of wpy_place_end. */
void wpy_place_clear(Place *place);
/* Gives the handle back; for a dealloc, since the GIL may be given up meanwhile. */
void wpy_place_end(Place *place);

/* Whether it may be used; no exception is set. */
bool wpy_place_open(const Place *place);
/* The reference of a value that is about to come into the place, and from then on lives as long;
   false: Python has to look at it, no exception is set. Under the GIL and nothing else. */
bool wpy_place_take(const Place *place, PyObject *value, uint32_t *ref);
/* A new reference to what a number stands for that rests in the place; NULL: Python has to find it,
 * no exception is set. */
PyObject *wpy_place_give(const Place *place, uint32_t ref);

#endif
