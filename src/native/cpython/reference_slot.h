/* reference_slot.h: where references rest: what a table (table.c) and a global (global.c) have in
 * common.
 */
#ifndef WPY_PLACE_H
#define WPY_PLACE_H

#include "cpython/cpython.h"

typedef struct {
    void *object;    /* the wpy_table or wpy_global: a handle, ours; NULL: not known yet, or it was
                        given back */
    PyObject *owner; /* its Lifetime (src/wamr/_runtime/extern.py), which says whether it is closed;
                        NULL: cleared by the collector */
    PyObject *kept;  /* the owner's dict of what lives as long, by id */
    PyObject *numbers; /* of the store's externrefs; NULL: the place has none */
    uint8_t kind;      /* of its values, a byte of the binary format */
} ReferenceSlot;

/* `_ready(address, kind, owner)` of Elements and GlobalBase: the place is that of the handle at the
   address, which stays its caller's: the place counts one of its own. None, or NULL with an
   exception. */
PyObject *wpy_slot_ready(ReferenceSlot *place, PyObject *args);
int wpy_slot_traverse(const ReferenceSlot *place, visitproc visit, void *arg);
/* For the collector, and part of wpy_slot_end. */
void wpy_slot_clear(ReferenceSlot *place);
/* Gives the handle back; for a dealloc, since the GIL may be given up meanwhile. */
void wpy_slot_end(ReferenceSlot *place);

/* Whether it may be used; no exception is set. */
bool wpy_slot_open(const ReferenceSlot *place);
/* The reference of a value that is about to come into the place, and from then on lives as long;
   false: Python has to look at it, no exception is set. Under the GIL and nothing else. */
bool wpy_slot_take(const ReferenceSlot *place, PyObject *value, uint32_t *ref);
/* A new reference to what a number stands for that rests in the place; NULL: Python has to find it,
 * no exception is set. */
PyObject *wpy_slot_give(const ReferenceSlot *place, uint32_t ref);

#endif
