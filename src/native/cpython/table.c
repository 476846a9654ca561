/* table.c: an element of a table, read and set at once; how many there are; a few more of them.
 *
 * `TableBase` is the base of wamr.Table: its `_item`, `_set_item`, `_size` and `_grow`
 * (src/wamr/_runtime/table.py) know all, wait where another thread is in the table's instance, and
 * say what is wrong. What needs none of that is done here, under the GIL. Nothing is remembered of
 * what is in the table, since wasm code changes that: an element is read as a number each time.
 * Only the last functions that came out are held, so that who looks at them again and again, and
 * keeps none, does not have them made each time.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/reference_slot.h"
#include "cpython/values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* So many functions are held. */
#define MOST_RECENT 256
/* More elements than these are not written with the GIL held. */
#define FEW_ELEMENTS 1024

typedef struct {
    PyObject_HEAD ReferenceSlot place;
    PyObject **recent;          /* a ring of the functions that came out last */
    uint32_t room, count, next; /* of it: places, functions, where the next one comes */
} TableBase;

static PyObject *name_item, *name_set_item, *name_size, *name_grow;

/* Holds a function that was just made. Without memory for that it is not held. */
static void
hold(TableBase *elements, PyObject *func)
{
    PyObject *old = NULL;

    if (elements->count == elements->room && elements->room < MOST_RECENT) {
        uint32_t room = elements->room ? elements->room * 4 : 4;
        PyObject **more = realloc(elements->recent, room * sizeof *more);
        if (!more)
            return;
        elements->recent = more;
        elements->room = room;
        elements->next = elements->count;
    }
    if (elements->count == elements->room)
        old = elements->recent[elements->next];
    else
        elements->count++;
    Py_INCREF(func);
    elements->recent[elements->next] = func;
    elements->next = (elements->next + 1) % elements->room;
    Py_XDECREF(old);
}

/* An index or an amount; false: not for us, no exception is set. */
static inline bool
index_of(PyObject *value, uint32_t *index)
{
    int overflow;
    long long number;

    if (UNLIKELY(!PyLong_Check(value)))
        return false;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (UNLIKELY(overflow || number < 0 || number > UINT32_MAX))
        return false;
    *index = (uint32_t)number;
    return true;
}

/* ---- methods ---- */

static PyObject *
get_item(PyObject *self, PyObject *key)
{
    TableBase *elements = (TableBase *)self;
    uint32_t index, ref;
    PyObject *value;

    if (LIKELY(index_of(key, &index) && wpy_slot_open(&elements->place) &&
               wpy_table_get_now(elements->place.object, index, &ref) == WPY_OK &&
               (value = wpy_slot_give(&elements->place, ref))))
        return value;
    value = PyObject_CallMethodObjArgs(self, name_item, key, NULL);
    if (value && elements->place.kind == FUNCREF && PyObject_TypeCheck(value, wpy_caller_type) &&
        elements->place.owner)
        hold(elements, value);
    return value;
}

static PyObject *
set_item(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    TableBase *elements = (TableBase *)self;
    uint32_t index, ref;

    if (UNLIKELY(count != 2)) {
        PyErr_Format(PyExc_TypeError, "__setitem__() takes 2 arguments, not %zd", count);
        return NULL;
    }
    if (LIKELY(index_of(args[0], &index) && wpy_slot_open(&elements->place) &&
               index < wpy_table_size(elements->place.object) &&
               wpy_slot_take(&elements->place, args[1], &ref) &&
               wpy_table_set_now(elements->place.object, index, ref) == WPY_OK))
        Py_RETURN_NONE;
    return PyObject_CallMethodObjArgs(self, name_set_item, args[0], args[1], NULL);
}

static Py_ssize_t
length(PyObject *self)
{
    TableBase *elements = (TableBase *)self;
    Py_ssize_t size;
    PyObject *value;

    if (LIKELY(wpy_slot_open(&elements->place)))
        return wpy_table_size(elements->place.object);
    if (!(value = PyObject_CallMethodObjArgs(self, name_size, NULL)))
        return -1;
    size = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return size;
}

/* `grow` with all that may be wrong with its arguments, by Python. */
static PyObject *
grow_slowly(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t i, named = names ? PyTuple_Size(names) : 0;
    PyObject *method = NULL, *tuple = NULL, *keywords = NULL, *result = NULL;

    if (!(method = PyObject_GetAttr(self, name_grow)) || !(tuple = PyTuple_New(count)))
        goto end;
    for (i = 0; i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(tuple, i, args[i]);
    }
    if (named && !(keywords = PyDict_New()))
        goto end;
    for (i = 0; i < named; i++)
        if (PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[count + i]) < 0)
            goto end;
    result = PyObject_Call(method, tuple, keywords);
end:
    Py_XDECREF(keywords);
    Py_XDECREF(tuple);
    Py_XDECREF(method);
    return result;
}

static PyObject *
grow(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    TableBase *elements = (TableBase *)self;
    uint32_t delta, ref, old;

    if (LIKELY(!names && (count == 1 || count == 2) && index_of(args[0], &delta) &&
               delta <= FEW_ELEMENTS && wpy_slot_open(&elements->place) &&
               wpy_slot_take(&elements->place, count == 2 ? args[1] : Py_None, &ref) &&
               wpy_table_grow_now(elements->place.object, delta, ref, &old) == WPY_OK))
        return PyLong_FromUnsignedLong(old);
    return grow_slowly(self, args, count, names);
}

static PyObject *
ready(PyObject *self, PyObject *args)
{
    return wpy_slot_ready(&((TableBase *)self)->place, args);
}

/* ---- the type ---- */

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    TableBase *elements = (TableBase *)self;
    uint32_t i;

    Py_VISIT(Py_TYPE(self));
    for (i = 0; i < elements->count; i++)
        Py_VISIT(elements->recent[i]);
    return wpy_slot_traverse(&elements->place, visit, arg);
}

static int
clear(PyObject *self)
{
    TableBase *elements = (TableBase *)self;
    PyObject **recent = elements->recent;
    uint32_t i, count = elements->count;

    elements->recent = NULL; /* a destructor may come back here */
    elements->room = elements->count = elements->next = 0;
    wpy_slot_clear(&elements->place);
    for (i = 0; i < count; i++)
        Py_DECREF(recent[i]);
    free(recent);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    wpy_slot_end(&((TableBase *)self)->place);
    release(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"_lifetime", T_OBJECT_EX, offsetof(TableBase, place.owner), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* Methods and no slots: a slot is shown with a parameter `key`, and `index` is what was promised.
 */
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
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_mp_length, length},
    {Py_tp_doc, "The elements of a table in C."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.TableBase",
    .basicsize = sizeof(TableBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int
wpy_add_elements(PyObject *module)
{
    return wpy_added(module, "TableBase", &spec) &&
                   (name_item = PyUnicode_InternFromString("_item")) &&
                   (name_set_item = PyUnicode_InternFromString("_set_item")) &&
                   (name_size = PyUnicode_InternFromString("_size")) &&
                   (name_grow = PyUnicode_InternFromString("_grow"))
               ? 0
               : -1;
}
