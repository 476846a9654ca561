/* memory.c: reading and writing a few bytes of a linear memory.
 *
 * `MemoryBase` is the base of wamr.Memory. It knows the address and size of the memory's bytes, and
 * copies what is within them. In all other cases, such as a range outside, an index that is not an
 * int, or data that is not bytes, it calls `_read`, `_write`, `_item` or `_set_item` of the
 * subclass (src/wamr/_runtime/memory.py). These check whether the memory has grown meanwhile, and
 * raise the exceptions.
 *
 * The GIL is not released between the check of a range and the copy. On free-threaded builds an
 * access holds what keeps the bytes alive, so they stay where they are, even if the memory is
 * closed meanwhile. What two threads write to the same bytes at the same time is not in any order,
 * as when wasm code of two threads does it.
 */
#include "cpython/locks.h"

#include <string.h>

typedef struct {
    char *data;      /* not owned: valid as long as `keep_alive` */
    Py_ssize_t size; /* of `data`; 0 where the bytes are hidden */
    PyObject *keep_alive;
} MemoryBuffer;

typedef struct {
    PyObject_HEAD
    MemoryBuffer buffer;
} MemoryBase;

static PyObject *name_read, *name_write, *name_item, *name_set_item;

/* An offset or a size; -1 where `value` is not one. No exception is set. */
static Py_ssize_t
offset_of(PyObject *value)
{
    return (Py_ssize_t)wpy_natural(value, PY_SSIZE_T_MAX);
}

/* The buffer as it is now, until end_access(). On free-threaded builds it is copied to `copy`, and
 * kept alive: another thread may replace or hide it meanwhile. */
static ALWAYS_INLINE const MemoryBuffer *
begin_access(PyObject *self, MemoryBuffer *copy)
{
    const MemoryBuffer *buffer = &((MemoryBase *)self)->buffer;

    (void)copy;
#ifdef Py_GIL_DISABLED
    LOCK_OBJECT(self);
    *copy = *buffer;
    SHARED_INCREF(copy->keep_alive);
    UNLOCK_OBJECT();
    buffer = copy;
#endif
    return buffer;
}

static inline void
end_access(const MemoryBuffer *buffer)
{
    (void)buffer;
    SHARED_DECREF(buffer->keep_alive);
}

/* Whether the bytes are within the buffer. */
static inline bool
has_range(const MemoryBuffer *buffer, Py_ssize_t offset, Py_ssize_t size)
{
    return offset <= buffer->size && size <= buffer->size - offset && buffer->keep_alive;
}

static PyObject *
read_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    MemoryBuffer copy;
    const MemoryBuffer *buffer;
    Py_ssize_t offset, size;
    PyObject *bytes;

    if (UNLIKELY(count != 2 || names || (offset = offset_of(args[0])) < 0 ||
                 (size = offset_of(args[1])) < 0))
        return wpy_call_method(self, name_read, args, count, names);
    buffer = begin_access(self, &copy);
    if (UNLIKELY(!has_range(buffer, offset, size))) {
        end_access(buffer);
        return wpy_call_method(self, name_read, args, count, names);
    }
    bytes = PyBytes_FromStringAndSize(buffer->data + offset, size);
    end_access(buffer);
    return bytes;
}

static PyObject *
write_bytes(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    MemoryBuffer copy;
    const MemoryBuffer *buffer;
    Py_ssize_t offset, size;

    if (UNLIKELY(count != 2 || names || (offset = offset_of(args[0])) < 0 ||
                 !PyBytes_Check(args[1])))
        return wpy_call_method(self, name_write, args, count, names);
    size = PyBytes_Size(args[1]);
    buffer = begin_access(self, &copy);
    if (UNLIKELY(!has_range(buffer, offset, size))) {
        end_access(buffer);
        return wpy_call_method(self, name_write, args, count, names);
    }
    memcpy(buffer->data + offset, PyBytes_AsString(args[1]), (size_t)size);
    end_access(buffer);
    Py_RETURN_NONE;
}

/* The bounds of a slice of known bytes. False for a slice that counts from the end, since the
 * memory may be larger than the buffer by now. No exception is set. */
static bool
bounds_of(PyObject *slice, Py_ssize_t *offset, Py_ssize_t *size)
{
    Py_ssize_t start, stop, step;

    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) {
        PyErr_Clear();
        return false;
    }
    *offset = start;
    *size = stop - start;
    return step == 1 && start >= 0 && stop >= start;
}

static PyObject *
get_item(PyObject *self, PyObject *key)
{
    MemoryBuffer copy;
    const MemoryBuffer *buffer;
    Py_ssize_t offset, size;
    PyObject *bytes;
    int byte;

    if (PySlice_Check(key)) {
        if (LIKELY(bounds_of(key, &offset, &size))) {
            buffer = begin_access(self, &copy);
            if (LIKELY(has_range(buffer, offset, size))) {
                bytes = PyBytes_FromStringAndSize(buffer->data + offset, size);
                end_access(buffer);
                return bytes;
            }
            end_access(buffer);
        }
    } else if (LIKELY((offset = offset_of(key)) >= 0)) {
        buffer = begin_access(self, &copy);
        if (LIKELY(offset < buffer->size && buffer->keep_alive)) {
            byte = (unsigned char)buffer->data[offset];
            end_access(buffer);
            return PyLong_FromLong(byte);
        }
        end_access(buffer);
    }
    return PyObject_CallMethodObjArgs(self, name_item, key, NULL);
}

/* sq_item, which iteration uses. */
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
    MemoryBuffer copy;
    const MemoryBuffer *buffer;
    PyObject *none;
    Py_ssize_t offset, size;
    long long byte;

    if (UNLIKELY(!value)) {
        PyErr_SetString(PyExc_TypeError, "bytes of a memory can't be deleted");
        return -1;
    }
    if (PySlice_Check(key)) {
        if (PyBytes_Check(value) && bounds_of(key, &offset, &size) && PyBytes_Size(value) == size) {
            buffer = begin_access(self, &copy);
            if (LIKELY(has_range(buffer, offset, size))) {
                memcpy(buffer->data + offset, PyBytes_AsString(value), (size_t)size);
                end_access(buffer);
                return 0;
            }
            end_access(buffer);
        }
    } else if ((offset = offset_of(key)) >= 0 && LIKELY((byte = wpy_natural(value, 255)) >= 0)) {
        buffer = begin_access(self, &copy);
        if (LIKELY(offset < buffer->size && buffer->keep_alive)) {
            buffer->data[offset] = (char)byte;
            end_access(buffer);
            return 0;
        }
        end_access(buffer);
    }
    if (!(none = PyObject_CallMethodObjArgs(self, name_set_item, key, value, NULL)))
        return -1;
    Py_DECREF(none);
    return 0;
}

/* _show(address, size, keep_alive): sets the bytes, which are valid as long as `keep_alive`. */
static PyObject *
show(PyObject *self, PyObject *args)
{
    MemoryBuffer *buffer = &((MemoryBase *)self)->buffer;
    unsigned long long address;
    Py_ssize_t size;
    PyObject *keep_alive, *old;

    if (!PyArg_ParseTuple(args, "KnO:_show", &address, &size, &keep_alive))
        return NULL;
    Py_INCREF(keep_alive);
    LOCK_OBJECT(self);
    if (size >= buffer->size) {
        old = buffer->keep_alive;
        *buffer = (MemoryBuffer){(char *)(uintptr_t)address, size, keep_alive};
    } else /* another thread has shown more bytes. A memory does not shrink while it is shown */
        old = keep_alive;
    UNLOCK_OBJECT();
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static int
clear(PyObject *self)
{
    MemoryBuffer *buffer = &((MemoryBase *)self)->buffer;
    PyObject *old;

    LOCK_OBJECT(self);
    old = buffer->keep_alive;
    *buffer = (MemoryBuffer){NULL, 0, NULL};
    UNLOCK_OBJECT();
    Py_XDECREF(old);
    return 0;
}

/* _hide(): forgets the bytes, so that each access goes to the subclass. */
static PyObject *
hide(PyObject *self, PyObject *args)
{
    (void)args;
    clear(self);
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((MemoryBase *)self)->buffer.keep_alive);
    return 0;
}

static void
dealloc(PyObject *self)
{
    wpy_dealloc(self, clear);
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

static PyType_Spec spec = WPY_BASE_SPEC(MemoryBase, slots);

int
wpy_add_memory(PyObject *module)
{
    return wpy_add_type(module, &spec) && (name_read = PyUnicode_InternFromString("_read")) &&
                   (name_write = PyUnicode_InternFromString("_write")) &&
                   (name_item = PyUnicode_InternFromString("_item")) &&
                   (name_set_item = PyUnicode_InternFromString("_set_item"))
               ? 0
               : -1;
}
