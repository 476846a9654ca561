/* global.c: the value of a global, read and set at once.
 *
 * `GlobalBase` is the base of wamr.Global: its `_value` and `_set_value`
 * (src/wamr/_runtime/global_.py) know all, wait where another thread is in the global's instance,
 * and say what is wrong. What needs none of that is done here, under the GIL. The last function
 * that was read is held, so that who reads it again and again, and does not keep it, does not have
 * it made each time.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/values.h"

#include <stddef.h>

typedef struct {
    PyObject_HEAD ReferenceSlot place;
    bool mutable_;
    PyObject *recent; /* a function, or NULL */
} GlobalBase;

static PyObject *name_value, *name_set_value;

static inline bool
is_reference(const GlobalBase *cell)
{
    return cell->place.kind == FUNCREF || cell->place.kind == EXTERNREF ||
           cell->place.kind == EXNREF;
}

static PyObject *
get_value(PyObject *self, void *closure)
{
    GlobalBase *cell = (GlobalBase *)self;
    uint32_t cells[4];
    const uint32_t *at = cells;
    PyObject *value;

    (void)closure;
    if (LIKELY(wpy_slot_open(&cell->place) &&
               wpy_global_get_now(cell->place.object, cells) == WPY_OK)) {
        if (!is_reference(cell))
            return wpy_get(cell->place.kind, &at);
        if ((value = wpy_slot_give(&cell->place, cells[0])))
            return value;
    }
    value = PyObject_CallMethodObjArgs(self, name_value, NULL);
    if (value && PyObject_TypeCheck(value, wpy_caller_type) && cell->place.kind == FUNCREF &&
        cell->place.owner) {
        PyObject *old = cell->recent;
        Py_INCREF(value);
        cell->recent = value;
        Py_XDECREF(old);
    }
    return value;
}

static int
set_value(PyObject *self, PyObject *value, void *closure)
{
    GlobalBase *cell = (GlobalBase *)self;
    uint32_t cells[4], *at = cells;
    PyObject *done;

    (void)closure;
    if (UNLIKELY(!value)) {
        PyErr_SetString(PyExc_AttributeError, "the value of a global can't be deleted");
        return -1;
    }
    if (LIKELY(cell->mutable_ && wpy_slot_open(&cell->place) &&
               (is_reference(cell) ? wpy_slot_take(&cell->place, value, cells)
                                   : wpy_put(cell->place.kind, value, &at)) &&
               wpy_global_set_now(cell->place.object, cells) == WPY_OK))
        return 0;
    if (!(done = PyObject_CallMethodObjArgs(self, name_set_value, value, NULL)))
        return -1;
    Py_DECREF(done);
    return 0;
}

/* _ready(address, kind, owner, mutable): see wpy_slot_ready. */
static PyObject *
ready(PyObject *self, PyObject *args)
{
    GlobalBase *cell = (GlobalBase *)self;
    PyObject *first = PyTuple_GetSlice(args, 0, 3), *mutable_ = PyTuple_GetItem(args, 3),
             *done = NULL;

    if (first && mutable_ && (done = wpy_slot_ready(&cell->place, first)))
        cell->mutable_ = mutable_ == Py_True;
    Py_XDECREF(first);
    return done;
}

/* ---- the type ---- */

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((GlobalBase *)self)->recent);
    return wpy_slot_traverse(&((GlobalBase *)self)->place, visit, arg);
}

static int
clear(PyObject *self)
{
    wpy_slot_clear(&((GlobalBase *)self)->place);
    Py_CLEAR(((GlobalBase *)self)->recent);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    wpy_slot_end(&((GlobalBase *)self)->place);
    release(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"_lifetime", T_OBJECT_EX, offsetof(GlobalBase, place.owner), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"value", get_value, set_value,
     "What it is now; setting a constant raises AttributeError. C: `wasm_global_get`.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"_ready", ready, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_doc, "The value of a global in C."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.GlobalBase",
    .basicsize = sizeof(GlobalBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int
wpy_add_cell(PyObject *module)
{
    return wpy_added(module, "GlobalBase", &spec) &&
                   (name_value = PyUnicode_InternFromString("_value")) &&
                   (name_set_value = PyUnicode_InternFromString("_set_value"))
               ? 0
               : -1;
}
