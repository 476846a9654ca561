/* table.c: the elements of a table: reading, writing, counting, and growing by a few.
 *
 * `TableBase` is the base of wamr.Table. The methods here run with the GIL held and handle the
 * cases that need no waiting. In all other cases they call `_item`, `_set_item`, `_size` or `_grow`
 * of the subclass (src/wamr/_runtime/table.py), which wait for another thread that is in the
 * table's instance, and raise the exceptions.
 *
 * Elements are not cached, since wasm code changes them: each access reads the table.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/values.h"

/* How many functions that were read are held. */
#define MOST_RECENT 256
/* More elements than these are not written with the GIL held. */
#define FEW_ELEMENTS 1024

typedef ReferenceSlot TableBase;

static PyObject *name_item, *name_set_item, *name_size, *name_grow;

static PyObject *
get_item(PyObject *self, PyObject *key)
{
    TableBase *table = (TableBase *)self;
    long long index = wpy_natural(key, UINT32_MAX);
    uint32_t ref;
    PyObject *value;

    if (LIKELY(index >= 0 && wpy_slot_is_open(table) && wpy_slot_begin(table, false))) {
        value = wpy_table_get_now(table->handle, (uint32_t)index, &ref) == WPY_OK
                    ? wpy_slot_from_reference(table, ref)
                    : NULL;
        wpy_slot_end(table);
        if (LIKELY(value != NULL))
            return value;
    }
    if ((value = PyObject_CallMethodObjArgs(self, name_item, key, NULL)))
        wpy_slot_hold(table, value);
    return value;
}

static PyObject *
set_item(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    TableBase *table = (TableBase *)self;
    long long index;
    uint32_t ref;
    int status;

    if (UNLIKELY(count != 2)) {
        PyErr_Format(PyExc_TypeError, "__setitem__() takes 2 arguments, not %zd", count);
        return NULL;
    }
    if (LIKELY((index = wpy_natural(args[0], UINT32_MAX)) >= 0 && wpy_slot_is_open(table) &&
               index < wpy_table_size(table->handle) && wpy_slot_begin(table, true))) {
        status = wpy_slot_to_reference(table, args[1], &ref)
                     ? wpy_table_set_now(table->handle, (uint32_t)index, ref)
                     : WPY_BUSY;
        wpy_slot_end(table);
        if (LIKELY(status == WPY_OK))
            Py_RETURN_NONE;
    }
    return PyObject_CallMethodObjArgs(self, name_set_item, args[0], args[1], NULL);
}

static Py_ssize_t
length(PyObject *self)
{
    TableBase *table = (TableBase *)self;
    Py_ssize_t size;
    PyObject *value;

    if (LIKELY(wpy_slot_is_open(table)))
        return wpy_table_size(table->handle);
    if (!(value = PyObject_CallMethodObjArgs(self, name_size, NULL)))
        return -1;
    size = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return size;
}

static PyObject *
grow(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    TableBase *table = (TableBase *)self;
    long long delta;
    uint32_t ref, old_size;
    int status;

    if (LIKELY(!names && (count == 1 || count == 2) &&
               (delta = wpy_natural(args[0], FEW_ELEMENTS)) >= 0 && wpy_slot_is_open(table) &&
               wpy_slot_begin(table, true))) {
        status = wpy_slot_to_reference(table, count == 2 ? args[1] : Py_None, &ref)
                     ? wpy_table_grow_now(table->handle, (uint32_t)delta, ref, &old_size)
                     : WPY_BUSY;
        wpy_slot_end(table);
        if (LIKELY(status == WPY_OK))
            return PyLong_FromUnsignedLong(old_size);
    }
    return wpy_call_method(self, name_grow, args, count, names);
}

/* _ready(address, kind, lifetime): see wpy_slot_init. */
static PyObject *
ready(PyObject *self, PyObject *args)
{
    if (wpy_slot_init((TableBase *)self, args, MOST_RECENT) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- the type ---- */

/* Methods instead of slots: help() shows a slot's parameter as `key`, and the documented name is
 * `index`. */
static PyMethodDef methods[] = {
    {"__getitem__", get_item, METH_O,
     "__getitem__($self, index, /)\n--\n\n"
     "Return an element; IndexError outside. C: `wasm_table_get`."},
    {"__setitem__", (PyCFunction)(void (*)(void))set_item, METH_FASTCALL,
     "__setitem__($self, index, value, /)\n--\n\n"
     "Set an element; IndexError outside, TypeError, ValueError. C: `wasm_table_set`."},
    {"grow", (PyCFunction)(void (*)(void))grow, METH_FASTCALL | METH_KEYWORDS,
     "grow($self, /, delta, init=None)\n--\n\n"
     "Grow by so many elements and return the old size.\n\n"
     "Raises ValueError past the maximum or below 0, TypeError. C: `wasm_table_grow`."},
    {"_ready", ready, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    WPY_REFERENCE_SLOT_SLOTS,
    {Py_tp_methods, methods},
    {Py_mp_length, length},
    {Py_tp_doc, "The elements of a table in C."},
    {0, NULL},
};

static PyType_Spec spec = WPY_BASE_SPEC(TableBase, slots);

int
wpy_add_table(PyObject *module)
{
    return wpy_add_type(module, &spec) && (name_item = PyUnicode_InternFromString("_item")) &&
                   (name_set_item = PyUnicode_InternFromString("_set_item")) &&
                   (name_size = PyUnicode_InternFromString("_size")) &&
                   (name_grow = PyUnicode_InternFromString("_grow"))
               ? 0
               : -1;
}
