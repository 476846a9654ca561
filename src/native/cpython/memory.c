/* memory.c: a few bytes of linear memory, read and written at once.
 *
 * `MemoryBase` is the base of wamr.Memory. It knows where the bytes are and how many, and holds
 * what keeps them there; what is within is copied here. Everything else, a range that is not
 * within, an index that is no int, data that is no bytes, goes to `_read`, `_write`, `_item` and
 * `_set_item` of the subclass (src/wamr/_runtime/memory.py), which look whether the memory has
 * grown, and say what is wrong. All of it runs under the GIL, which nobody gives up between a look
 * at the size and the copy.
 */
#include "cpython/cpython.h"

#include <string.h>

typedef struct {
    PyObject_HEAD char *data;
    Py_ssize_t size; /* 0: nothing to see */
    PyObject *keep;
} MemoryBase;

static PyObject *name_read, *name_write, *name_item, *name_set_item;

/* An offset or a size; -1: not for us, no exception is set. */
static Py_ssize_t
index_of(PyObject *value)
{
    int overflow;
    long long index;

    if (UNLIKELY(!PyLong_Check(value)))
        return -1;
    index = PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow || index > PY_SSIZE_T_MAX ? -1 : (Py_ssize_t)index;
}

/* Calls the method of the subclass that knows all. */
static PyObject *
call_subclass_method(PyObject *self, PyObject *name, PyObject *const *args, Py_ssize_t count,
                     PyObject *names)
{
    Py_ssize_t i, named = names ? PyTuple_Size(names) : 0;
    PyObject *method = NULL, *tuple = NULL, *keywords = NULL, *result = NULL;

    if (!(method = PyObject_GetAttr(self, name)) || !(tuple = PyTuple_New(count)))
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
read_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    MemoryBase *window = (MemoryBase *)self;
    Py_ssize_t offset, size;

    if (UNLIKELY(count != 2 || names || (offset = index_of(args[0])) < 0 ||
                 (size = index_of(args[1])) < 0 || offset > window->size ||
                 size > window->size - offset || !window->keep))
        return call_subclass_method(self, name_read, args, count, names);
    return PyBytes_FromStringAndSize(window->data + offset, size);
}

static PyObject *
write_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    MemoryBase *window = (MemoryBase *)self;
    Py_ssize_t offset, size;

    if (UNLIKELY(count != 2 || names || (offset = index_of(args[0])) < 0 ||
                 !PyBytes_Check(args[1])))
        return call_subclass_method(self, name_write, args, count, names);
    size = PyBytes_Size(args[1]);
    if (UNLIKELY(offset > window->size || size > window->size - offset || !window->keep))
        return call_subclass_method(self, name_write, args, count, names);
    memcpy(window->data + offset, PyBytes_AsString(args[1]), (size_t)size);
    Py_RETURN_NONE;
}

/* The bounds of `[a:b]`, if they are what they look like at any size of the memory: not from its
 * end, within what we know. */
static bool
part_of(const MemoryBase *window, PyObject *key, Py_ssize_t *offset, Py_ssize_t *size)
{
    Py_ssize_t start, stop, step;

    if (PySlice_Unpack(key, &start, &stop, &step) < 0) {
        PyErr_Clear();
        return false;
    }
    if (step != 1 || start < 0 || stop < start || stop > window->size || !window->keep)
        return false;
    *offset = start;
    *size = stop - start;
    return true;
}

static PyObject *
get_item(PyObject *self, PyObject *key)
{
    MemoryBase *window = (MemoryBase *)self;
    Py_ssize_t offset, size;

    if (PySlice_Check(key)) {
        if (LIKELY(part_of(window, key, &offset, &size)))
            return PyBytes_FromStringAndSize(window->data + offset, size);
    } else if (LIKELY((offset = index_of(key)) >= 0 && offset < window->size && window->keep))
        return PyLong_FromLong((unsigned char)window->data[offset]);
    return PyObject_CallMethodObjArgs(self, name_item, key, NULL);
}

/* For those who go through it one by one. */
static PyObject *
item_at(PyObject *self, Py_ssize_t index)
{
    PyObject *key = PyLong_FromSsize_t(index), *value;

    if (!key)
        return NULL;
    value = get_item(self, key);
    Py_DECREF(key);
    return value;
}

static int
set_item(PyObject *self, PyObject *key, PyObject *value)
{
    MemoryBase *window = (MemoryBase *)self;
    PyObject *done;
    Py_ssize_t offset, size;

    if (UNLIKELY(!value)) {
        PyErr_SetString(PyExc_TypeError, "bytes of a memory can't be deleted");
        return -1;
    }
    if (PySlice_Check(key)) {
        if (PyBytes_Check(value) && part_of(window, key, &offset, &size) &&
            PyBytes_Size(value) == size) {
            memcpy(window->data + offset, PyBytes_AsString(value), (size_t)size);
            return 0;
        }
    } else if ((offset = index_of(key)) >= 0 && offset < window->size && window->keep) {
        Py_ssize_t byte = index_of(value);
        if (LIKELY(byte >= 0 && byte <= 255)) {
            window->data[offset] = (char)byte;
            return 0;
        }
    }
    if (!(done = PyObject_CallMethodObjArgs(self, name_set_item, key, value, NULL)))
        return -1;
    Py_DECREF(done);
    return 0;
}

/* _show(address, size, keep): from now on there are these bytes to see, as long as `keep` lives. */
static PyObject *
show(PyObject *self, PyObject *args)
{
    MemoryBase *window = (MemoryBase *)self;
    unsigned long long address;
    Py_ssize_t size;
    PyObject *keep, *old = window->keep;

    if (!PyArg_ParseTuple(args, "KnO:_show", &address, &size, &keep))
        return NULL;
    Py_INCREF(keep);
    window->keep = keep;
    window->data = (char *)(uintptr_t)address;
    window->size = size;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static int
clear(PyObject *self)
{
    MemoryBase *window = (MemoryBase *)self;

    window->data = NULL;
    window->size = 0;
    Py_CLEAR(window->keep);
    return 0;
}

static PyObject *
hide(PyObject *self, PyObject *args)
{
    (void)args;
    clear(self);
    Py_RETURN_NONE;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((MemoryBase *)self)->keep);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"read", (PyCFunction)(void (*)(void))read_bytes, METH_FASTCALL | METH_KEYWORDS,
     "read($self, /, offset, size)\n--\n\n"
     "Return `size` bytes from `offset` on.\n\n"
     "Raises IndexError if they are not all within the memory, TypeError, ClosedError.\n"
     "C: `wasm_memory_data`.\n\n"
     ">>> from wamr import Limits, Memory, MemoryType, Store\n"
     ">>> Memory(Store(), MemoryType(Limits(1))).read(8, 4)\n"
     "b'\\x00\\x00\\x00\\x00'\n"},
    {"write", (PyCFunction)(void (*)(void))write_bytes, METH_FASTCALL | METH_KEYWORDS,
     "write($self, /, offset, data)\n--\n\n"
     "Write `data`, bytes or what has a buffer, from `offset` on.\n\n"
     "Raises IndexError if it does not fit into the memory, TypeError, ClosedError.\n"
     "C: `wasm_memory_data`.\n\n"
     ">>> from wamr import Limits, Memory, MemoryType, Store\n"
     ">>> memory = Memory(Store(), MemoryType(Limits(1)))\n"
     ">>> memory.write(8, b'hello')\n"
     ">>> memory[8:13]\n"
     "b'hello'\n"},
    {"_show", show, METH_VARARGS, NULL},
    {"_hide", hide, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_mp_subscript, get_item},
    {Py_mp_ass_subscript, set_item},
    {Py_sq_item, item_at},
    {Py_tp_doc, "Bytes in C that can be read and written."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.MemoryBase",
    .basicsize = sizeof(MemoryBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int
wpy_add_window(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    if (!type || PyModule_AddObject(module, "MemoryBase", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    name_read = PyUnicode_InternFromString("_read");
    name_write = PyUnicode_InternFromString("_write");
    name_item = PyUnicode_InternFromString("_item");
    name_set_item = PyUnicode_InternFromString("_set_item");
    return name_read && name_write && name_item && name_set_item ? 0 : -1;
}
