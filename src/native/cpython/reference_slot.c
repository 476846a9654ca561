/* reference_slot.c: references on their way into a table or a global, and out of it.
 *
 * Handles the cases that need neither Python code nor a lock: null, objects behind externrefs, and
 * functions that were stored in the table or global before. The Lifetime of such a function is kept
 * by that of the slot already, so both are of one store and of one group. For all other cases the
 * callers fall back on Python (src/wamr/_values/codec.py, src/wamr/_runtime/extern.py).
 *
 * The GIL is not released between reading a number and using it. So a collection of externrefs
 * (src/wamr/_values/externrefs.py) happens before both or after both. On free-threaded builds the
 * callers see to that (wpy_slot_begin).
 *
 * All members but the ring of functions are set once, before any other thread knows the slot, and
 * change only when the garbage collector clears it. The lock of the object guards the ring.
 */
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/callable_base.h"
#include "cpython/externrefs.h"
#include "cpython/values.h"

#include <stddef.h>
#include <stdlib.h>

/* Whether an object may come into the table of externrefs: no collection is due. */
#ifdef Py_GIL_DISABLED
#define WPY_MAY_ADD(table) true /* wpy_slot_begin has looked */
#else
#define WPY_MAY_ADD(table) (!wpy_collection_is_due(table))
#endif

static PyObject *name_closed, *name_keep;

/* ---- state ---- */

static void
clear_references(ReferenceSlot *slot)
{
    Py_CLEAR(slot->lifetime); /* first: a slot without it is not open, so the others aren't used */
    Py_CLEAR(slot->kept);
    Py_CLEAR(slot->externrefs);
}

int
wpy_slot_init(ReferenceSlot *slot, PyObject *args, uint32_t recent_max)
{
    unsigned long long address;
    unsigned char kind;
    PyObject *lifetime, *kept, *externrefs = NULL;
    bool first;

    if (!PyArg_ParseTuple(args, "KbO:_ready", &address, &kind, &lifetime))
        return -1;
    if (!(kept = PyObject_GetAttr(lifetime, name_keep)))
        return -1;
    if (!PyDict_Check(kept)) {
        PyErr_SetString(PyExc_TypeError, "a Lifetime's _keep must be a dict");
        Py_DECREF(kept);
        return -1;
    }
    if (kind == EXTERNREF && !(externrefs = wpy_externrefs_of(lifetime))) {
        Py_DECREF(kept);
        return -1;
    }
    LOCK_OBJECT((PyObject *)slot);
    if ((first = !slot->handle)) {
        Py_INCREF(lifetime);
        slot->lifetime = lifetime;
        slot->kept = kept;
        slot->externrefs = externrefs;
        slot->kind = kind;
        slot->recent_max = recent_max;
        slot->handle = (void *)(uintptr_t)address;
    }
    UNLOCK_OBJECT();
    if (first) {
        wpy_retain(slot->handle);
        return 0;
    }
    Py_DECREF(kept);
    Py_XDECREF(externrefs);
    PyErr_SetString(PyExc_RuntimeError, "_ready() was called before");
    return -1;
}

bool
wpy_slot_is_open(const ReferenceSlot *slot)
{
    PyObject *closed;

    if (UNLIKELY(!slot->lifetime))
        return false;
    if (UNLIKELY(!(closed = PyObject_GetAttr(slot->lifetime, name_closed)))) {
        PyErr_Clear();
        return false;
    }
    Py_DECREF(closed); /* a bool, which other references keep alive */
    return closed == Py_False;
}

/* ---- references ---- */

/* Whether the slot's Lifetime keeps `lifetime` alive. Then both are of the same store. */
static bool
keeps(const ReferenceSlot *slot, PyObject *lifetime)
{
    PyObject *key;
    int found;

    if (lifetime == slot->lifetime)
        return true;
    if (!(key = PyLong_FromVoidPtr(lifetime))) { /* id(lifetime) */
        PyErr_Clear();
        return false;
    }
    found = PyDict_Contains(slot->kept, key);
    Py_DECREF(key);
    return found > 0;
}

/* What wpy_slot_to_reference says, for a function. */
static bool
function_to_reference(const ReferenceSlot *slot, PyObject *value, uint32_t *ref)
{
    PyObject *lifetime = NULL;
    wpy_func *fn = wpy_callable_func(value, &lifetime);
    bool stored =
        fn && keeps(slot, lifetime) && wpy_retain_reference_now(slot->handle, fn, ref) == WPY_OK;

    SHARED_DECREF(lifetime);
    return stored;
}

bool
wpy_slot_to_reference(const ReferenceSlot *slot, PyObject *value, uint32_t *ref)
{
    if (slot->kind == EXTERNREF)
        return WPY_MAY_ADD(slot->externrefs) &&
               wpy_externref_from_object(slot->externrefs, value, ref);
    if (value == Py_None) {
        *ref = WPY_NULL_REFERENCE;
        return true;
    }
    if (slot->kind == EXNREF)
        return false; /* groups may have to be merged */
    return function_to_reference(slot, value, ref);
}

PyObject *
wpy_slot_from_reference(const ReferenceSlot *slot, uint32_t ref)
{
    PyObject *value;

    if (ref == WPY_NULL_REFERENCE)
        Py_RETURN_NONE;
    if (slot->kind == EXTERNREF) {
        if (!(value = wpy_externref_to_object(slot->externrefs, ref)))
            PyErr_Clear();
        return value;
    }
    if (slot->kind == EXNREF)
        return NULL;
    return wpy_callable_of_reference(ref);
}

/* ---- the functions that Python read last ---- */

/* Enlarges the ring where it is full and may grow. False where there is no memory. */
static bool
has_room(ReferenceSlot *slot)
{
    uint32_t room = slot->recent_room ? slot->recent_room * 4 : 4;
    PyObject **larger;

    if (slot->recent_count < slot->recent_room || slot->recent_room == slot->recent_max)
        return true;
    if (room > slot->recent_max)
        room = slot->recent_max;
    if (!(larger = realloc(slot->recent, room * sizeof *larger)))
        return false;
    slot->recent = larger;
    slot->recent_room = room;
    slot->recent_next = slot->recent_count;
    return true;
}

void
wpy_slot_hold(ReferenceSlot *slot, PyObject *value)
{
    PyObject *old = NULL;

    if (slot->kind != FUNCREF || !PyObject_TypeCheck(value, wpy_callable_base_type))
        return;
    LOCK_OBJECT((PyObject *)slot);
    /* A cleared slot is being collected: it must not hold anything again. */
    if (slot->lifetime && has_room(slot)) {
        if (slot->recent_count == slot->recent_room)
            old = slot->recent[slot->recent_next];
        else
            slot->recent_count++;
        Py_INCREF(value);
        slot->recent[slot->recent_next] = value;
        slot->recent_next = (slot->recent_next + 1) % slot->recent_room;
    }
    UNLOCK_OBJECT();
    Py_XDECREF(old); /* last, since a destructor may come back here */
}

/* ---- the types that have this head ---- */

int
wpy_slot_traverse(PyObject *self, visitproc visit, void *arg)
{
    const ReferenceSlot *slot = (ReferenceSlot *)self;
    uint32_t i;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(slot->lifetime);
    Py_VISIT(slot->kept);
    Py_VISIT(slot->externrefs);
    for (i = 0; i < slot->recent_count; i++)
        Py_VISIT(slot->recent[i]);
    return 0;
}

int
wpy_slot_clear(PyObject *self)
{
    ReferenceSlot *slot = (ReferenceSlot *)self;
    PyObject **recent = slot->recent;
    uint32_t i, count = slot->recent_count;

    slot->recent = NULL; /* a destructor may come back here */
    slot->recent_room = slot->recent_count = slot->recent_next = 0;
    clear_references(slot);
    for (i = 0; i < count; i++)
        Py_DECREF(recent[i]);
    free(recent);
    return 0;
}

/* Not part of clear: releasing the handle may release the GIL, which the collector does not allow
 * for. */
static int
clear_and_release(PyObject *self)
{
    ReferenceSlot *slot = (ReferenceSlot *)self;
    void *handle = slot->handle;

    wpy_slot_clear(self);
    slot->handle = NULL;
    if (handle)
        wpy_release_handle(handle);
    return 0;
}

void
wpy_slot_dealloc(PyObject *self)
{
    wpy_dealloc(self, clear_and_release);
}

PyMemberDef wpy_slot_members[] = {
    {"_lifetime", T_OBJECT_EX, offsetof(ReferenceSlot, lifetime), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

int
wpy_add_reference_slot(PyObject *module)
{
    (void)module;
    return (name_closed = PyUnicode_InternFromString("closed")) &&
                   (name_keep = PyUnicode_InternFromString("_keep"))
               ? 0
               : -1;
}
