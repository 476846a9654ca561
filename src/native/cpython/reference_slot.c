/* reference_slot.c: references on the way into a table or a global, and out of it.
 *
 * Only what needs no thought and no waiting: null, an object behind an externref, and a function
 * that came into the place before. Such a function's Lifetime is kept by that of the place already,
 * so the two are of one store, and their groups are one. All else is Python's business
 * (src/wamr/_values/codec.py, src/wamr/_runtime/extern.py). Between a look at a number and what is
 * done with it nobody gives up the GIL, so a collection of externrefs comes before both or after
 * both (src/wamr/_values/externrefs.py).
 */
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/callable_base.h"
#include "cpython/externrefs.h"
#include "cpython/values.h"

static PyObject *name_closed, *name_keep;

PyObject *
wpy_slot_ready(ReferenceSlot *place, PyObject *args)
{
    unsigned long long address;
    unsigned char kind;
    PyObject *owner;

    if (!PyArg_ParseTuple(args, "KbO:_ready", &address, &kind, &owner))
        return NULL;
    if (place->object) {
        PyErr_SetString(PyExc_RuntimeError, "_ready() was called before");
        return NULL;
    }
    wpy_slot_clear(place);
    if (!(place->kept = PyObject_GetAttr(owner, name_keep)))
        return NULL;
    if (!PyDict_Check(place->kept)) {
        PyErr_SetString(PyExc_TypeError, "an owner's _keep must be a dict");
        return NULL;
    }
    if (kind == EXTERNREF && !(place->numbers = wpy_numbers_of(owner)))
        return NULL;
    Py_INCREF(owner);
    place->owner = owner;
    place->kind = kind;
    place->object = (void *)(uintptr_t)address;
    wpy_retain(place->object);
    Py_RETURN_NONE;
}

int
wpy_slot_traverse(const ReferenceSlot *place, visitproc visit, void *arg)
{
    Py_VISIT(place->owner);
    Py_VISIT(place->kept);
    Py_VISIT(place->numbers);
    return 0;
}

void
wpy_slot_clear(ReferenceSlot *place)
{
    Py_CLEAR(place->owner); /* from here on it is not open: the others are not asked for */
    Py_CLEAR(place->kept);
    Py_CLEAR(place->numbers);
}

void
wpy_slot_end(ReferenceSlot *place)
{
    void *object = place->object;

    place->object = NULL;
    if (object)
        wpy_let_go(object);
    wpy_slot_clear(place);
}

bool
wpy_slot_open(const ReferenceSlot *place)
{
    PyObject *closed;

    if (UNLIKELY(!place->owner))
        return false;
    if (UNLIKELY(!(closed = PyObject_GetAttr(place->owner, name_closed)))) {
        PyErr_Clear();
        return false;
    }
    Py_DECREF(closed); /* a bool */
    return closed == Py_False;
}

/* Whether what `owner` owns lives as long as the place, which is of the same store then. */
static bool
keeps(const ReferenceSlot *place, PyObject *owner)
{
    PyObject *key;
    int found;

    if (owner == place->owner)
        return true;
    if (!(key = PyLong_FromVoidPtr(owner))) { /* as id() */
        PyErr_Clear();
        return false;
    }
    found = PyDict_Contains(place->kept, key);
    Py_DECREF(key);
    return found > 0;
}

bool
wpy_slot_take(const ReferenceSlot *place, PyObject *value, uint32_t *ref)
{
    PyObject *owner;
    wpy_func *fn;

    if (place->kind == EXTERNREF)
        return !wpy_crowded(place->numbers) && wpy_number_of(place->numbers, value, ref);
    if (value == Py_None) {
        *ref = WPY_NO_OBJECT;
        return true;
    }
    if (place->kind == EXNREF)
        return false; /* its group may have to be merged */
    return (fn = wpy_caller_function(value, &owner)) && keeps(place, owner) &&
           wpy_retain_reference_now(place->object, fn, ref) == WPY_OK;
}

PyObject *
wpy_slot_give(const ReferenceSlot *place, uint32_t ref)
{
    PyObject *value;

    if (ref == WPY_NO_OBJECT)
        Py_RETURN_NONE;
    if (place->kind == EXTERNREF) {
        if (!(value = wpy_object_of(place->numbers, ref)))
            PyErr_Clear();
        return value;
    }
    return place->kind == EXNREF ? NULL : wpy_caller_known(ref);
}

int
wpy_add_place(PyObject *module)
{
    (void)module;
    return (name_closed = PyUnicode_InternFromString("closed")) &&
                   (name_keep = PyUnicode_InternFromString("_keep"))
               ? 0
               : -1;
}
