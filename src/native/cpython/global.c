/* global.c: reading and setting the value of a global.
 *
 * `GlobalBase` is the base of wamr.Global. The property here runs with the GIL held and handles the
 * cases that need no waiting. In all other cases it calls `_value` or `_set_value` of the subclass
 * (src/wamr/_runtime/global_.py), which wait for another thread that is in the global's instance,
 * and raise the exceptions.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/values.h"

typedef struct {
    ReferenceSlot slot; /* for globals of numbers, too */
    bool mutable_;
} GlobalBase;

static PyObject *name_value, *name_set_value;

static inline bool
is_reference(const GlobalBase *global)
{
    return global->slot.kind == FUNCREF || global->slot.kind == EXTERNREF ||
           global->slot.kind == EXNREF;
}

static PyObject *
get_value(PyObject *self, void *closure)
{
    GlobalBase *global = (GlobalBase *)self;
    uint32_t cells[4];
    const uint32_t *next = cells;
    PyObject *value;

    (void)closure;
    if (LIKELY(wpy_slot_is_open(&global->slot) && wpy_slot_begin(&global->slot, false))) {
        value = NULL;
        if (LIKELY(wpy_global_get_now(global->slot.handle, cells) == WPY_OK)) {
            if (!is_reference(global)) /* wpy_slot_begin has done nothing */
                return wpy_value_from_cells(global->slot.kind, &next);
            value = wpy_slot_from_reference(&global->slot, cells[0]);
        }
        wpy_slot_end(&global->slot);
        if (value)
            return value;
    }
    if ((value = PyObject_CallMethodObjArgs(self, name_value, NULL)))
        wpy_slot_hold(&global->slot, value);
    return value;
}

static int
set_value(PyObject *self, PyObject *value, void *closure)
{
    GlobalBase *global = (GlobalBase *)self;
    uint32_t cells[4], *next = cells;
    PyObject *none;
    bool done;

    (void)closure;
    if (UNLIKELY(!value)) {
        PyErr_SetString(PyExc_AttributeError, "the value of a global can't be deleted");
        return -1;
    }
    if (LIKELY(global->mutable_ && wpy_slot_is_open(&global->slot) &&
               wpy_slot_begin(&global->slot, true))) {
        done = (is_reference(global) ? wpy_slot_to_reference(&global->slot, value, cells)
                                     : wpy_value_to_cells(global->slot.kind, value, &next)) &&
               wpy_global_set_now(global->slot.handle, cells) == WPY_OK;
        wpy_slot_end(&global->slot);
        if (LIKELY(done))
            return 0;
    }
    if (!(none = PyObject_CallMethodObjArgs(self, name_set_value, value, NULL)))
        return -1;
    Py_DECREF(none);
    return 0;
}

/* _ready(address, kind, lifetime, mutable): see wpy_slot_init. */
static PyObject *
ready(PyObject *self, PyObject *args)
{
    GlobalBase *global = (GlobalBase *)self;
    PyObject *slot_args = PyTuple_GetSlice(args, 0, 3), *mutable_ = PyTuple_GetItem(args, 3);
    int status = -1;

    if (slot_args && mutable_ && !(status = wpy_slot_init(&global->slot, slot_args, 1)))
        global->mutable_ = mutable_ == Py_True;
    Py_XDECREF(slot_args);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- the type ---- */

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
    WPY_REFERENCE_SLOT_SLOTS,
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_doc, "The value of a global in C."},
    {0, NULL},
};

static PyType_Spec spec = WPY_BASE_SPEC(GlobalBase, slots);

int
wpy_add_global(PyObject *module)
{
    return wpy_add_type(module, &spec) && (name_value = PyUnicode_InternFromString("_value")) &&
                   (name_set_value = PyUnicode_InternFromString("_set_value"))
               ? 0
               : -1;
}
