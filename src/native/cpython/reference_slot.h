/* reference_slot.h: the common part of tables (table.c) and globals (global.c), which both may hold
 * references.
 */
#ifndef WPY_REFERENCE_SLOT_H
#define WPY_REFERENCE_SLOT_H

#include "cpython/locks.h"
#include "cpython/passing_refs.h"

/* The head of a TableBase and of a GlobalBase. */
typedef struct {
    PyObject_HEAD
    void *handle;         /* on the wpy_table or wpy_global, owned; NULL before _ready() */
    PyObject *lifetime;   /* the Lifetime of src/wamr/_base/lifetime.py, which knows whether it is
                             closed; NULL once the garbage collector has cleared this object */
    PyObject *kept;       /* the Lifetime's dict of other Lifetimes that it keeps alive, by id */
    PyObject *externrefs; /* the store's ExternrefTable; NULL for other types than externref */
    uint8_t kind;         /* the value type, a byte of the binary format */

    /* The functions that Python read last, held in a ring. Whoever reads the same functions again
     * and again without keeping them gets the same objects, which take 8 us each to make. */
    PyObject **recent;
    uint32_t recent_max;                             /* set by the type that has this head */
    uint32_t recent_room, recent_count, recent_next; /* `next`: where the next function goes */
} ReferenceSlot;

/* Implements `_ready(address, kind, lifetime)`: the slot is that of the table or global at the
 * address, and holds up to `recent_max` functions. The caller keeps its own handle; the slot
 * counts another one. 0, or -1 with an exception. */
int wpy_slot_init(ReferenceSlot *slot, PyObject *args, uint32_t recent_max);

/* Whether the Lifetime is open. No exception is set. */
bool wpy_slot_is_open(const ReferenceSlot *slot);

/* An access to the slot brackets its use of a reference with these two, or a collection of
 * externrefs may miss the reference on its way. False where a collection is due and the access
 * `stores` a reference, and where there is no memory. No exception is set. With a GIL both do
 * nothing: it is held from the one to the other. */
static inline bool
wpy_slot_begin(const ReferenceSlot *slot, bool stores)
{
    (void)slot;
    (void)stores;
#ifdef Py_GIL_DISABLED
    if (slot->externrefs)
        return stores ? wpy_begin_passing(slot->externrefs) : wpy_begin_reading(slot->externrefs);
#endif
    return true;
}

static inline void
wpy_slot_end(const ReferenceSlot *slot)
{
    (void)slot;
#ifdef Py_GIL_DISABLED
    if (slot->externrefs)
        wpy_end_passing(slot->externrefs);
#endif
}

/* Converts a value that is about to be stored in the slot, and keeps it alive as long as the slot.
 * False where this needs Python or would have to wait; no exception is set. */
bool wpy_slot_to_reference(const ReferenceSlot *slot, PyObject *value, uint32_t *ref);

/* Converts a reference that the slot holds. A new reference to the object; NULL where Python has
 * to make the object, no exception is set. */
PyObject *wpy_slot_from_reference(const ReferenceSlot *slot, uint32_t ref);

/* Holds a value that Python made for a reference of the slot, if that is a function. Without memory
 * for that the value is not held. */
void wpy_slot_hold(ReferenceSlot *slot, PyObject *value);

/* The type's slots and members: tp_dealloc, tp_traverse, tp_clear, and `_lifetime`. */
void wpy_slot_dealloc(PyObject *self);
int wpy_slot_traverse(PyObject *self, visitproc visit, void *arg);
int wpy_slot_clear(PyObject *self);
extern PyMemberDef wpy_slot_members[];

#define WPY_REFERENCE_SLOT_SLOTS                                            \
    {Py_tp_dealloc, wpy_slot_dealloc}, {Py_tp_traverse, wpy_slot_traverse}, \
        {Py_tp_clear, wpy_slot_clear},                                      \
    {                                                                       \
        Py_tp_members, wpy_slot_members                                     \
    }

#endif
