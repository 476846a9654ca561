/* describe.c: the imports and exports of a module as tuples.
 *
 * `described(address, imports)` returns a list with one tuple for each: (kind, index, module or
 * None, name, type). `type` is bytes that hold the whole type, so that equal types are found in a
 * dictionary. For a function they are the kind, the number of parameters (4 bytes), the value types
 * of the parameters, and those of the results. For the others they are the kind, the element or
 * value type, the flags of wpy_extern (include/wpy.h), and the limits (4 bytes each).
 * src/wamr/_runtime/module.py makes type objects from them.
 *
 * `exported(address, known, make)` returns a tuple with one object for each export: the one in the
 * dictionary `known` for the export's type and name, or else that which make(name, type, key)
 * returns.
 */
#include "cpython/cpython.h"

#include <stdlib.h>
#include <string.h>

/* The bytes for the type. With `named`, a key for type and name: the type, the name, and the name's
 * size, without which two different pairs could give the same bytes. A new reference, or NULL with
 * an exception. */
static PyObject *
type_of(const wpy_extern *item, bool named)
{
    uint8_t few[96] = {item->kind}, *bytes = few;
    bool typed = item->kind == 0 || item->kind == 4; /* a function, a tag */
    size_t size = typed ? 5 + (size_t)item->param_count + item->result_count : 11, whole = size;
    PyObject *type;

    if (named)
        whole += item->name_size + sizeof item->name_size;
    if (whole > sizeof few && !(bytes = malloc(whole)))
        return PyErr_NoMemory();
    if (named) {
        if (item->name_size)
            memcpy(bytes + size, item->name, item->name_size);
        memcpy(bytes + size + item->name_size, &item->name_size, sizeof item->name_size);
    }
    bytes[0] = item->kind;
    if (typed) {
        memcpy(bytes + 1, &item->param_count, 4);
        if (item->param_count)
            memcpy(bytes + 5, item->params, item->param_count);
        if (item->result_count)
            memcpy(bytes + 5 + item->param_count, item->results, item->result_count);
    } else {
        bytes[1] = item->content;
        bytes[2] = item->flags;
        memcpy(bytes + 3, &item->min, 4);
        memcpy(bytes + 7, &item->max, 4);
    }
    type = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)whole);
    if (bytes != few)
        free(bytes);
    return type;
}

static PyObject *
text_of(const uint8_t *text, uint32_t size)
{
    if (!text)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8((const char *)text, size, "strict");
}

/* The tuple for one import or export. A new reference, or NULL with an exception. */
static PyObject *
describe(const wpy_extern *item)
{
    PyObject *parts[5] = {PyLong_FromLong(item->kind), PyLong_FromUnsignedLong(item->index),
                          text_of(item->module, item->module_size), NULL, type_of(item, false)};
    PyObject *tuple = PyTuple_New(5);
    bool complete = tuple != NULL;
    int i;

    parts[3] = PyUnicode_DecodeUTF8((const char *)item->name, item->name_size, "strict");
    for (i = 0; i < 5; i++) {
        complete = complete && parts[i];
        if (tuple && parts[i])
            PyTuple_SetItem(tuple, i, parts[i]);
        else
            Py_XDECREF(parts[i]);
    }
    if (!complete)
        Py_CLEAR(tuple);
    return tuple;
}

static PyObject *
described(PyObject *self, PyObject *args)
{
    unsigned long long address;
    int imports;
    const wpy_extern *items = NULL;
    uint32_t i, count;
    PyObject *list;

    (void)self;
    if (!PyArg_ParseTuple(args, "Kp:described", &address, &imports))
        return NULL;
    count = (imports ? wpy_module_imports : wpy_module_exports)((wpy_module *)(uintptr_t)address,
                                                                &items);
    if (!(list = PyList_New(count)))
        return NULL;
    for (i = 0; i < count; i++) {
        PyObject *item = describe(&items[i]);
        if (!item) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SetItem(list, i, item);
    }
    return list;
}

/* The object for one export. A new reference, or NULL with an exception. */
static PyObject *
known_or_made(const wpy_extern *item, PyObject *known, PyObject *make)
{
    PyObject *key = type_of(item, true), *found = NULL, *type;

#ifdef Py_GIL_DISABLED /* another thread may empty the dictionary */
    if (key)
        PyDict_GetItemRef(known, key, &found);
#else
    if (key)
        found = PyDict_GetItemWithError(known, key);
    Py_XINCREF(found);
#endif
    if (!found && key && !PyErr_Occurred() && (type = type_of(item, false))) {
        PyObject *name =
            PyUnicode_FromStringAndSize((const char *)item->name, (Py_ssize_t)item->name_size);
        found = name ? PyObject_CallFunctionObjArgs(make, name, type, key, NULL) : NULL;
        Py_XDECREF(name);
        Py_DECREF(type);
    }
    Py_XDECREF(key);
    return found;
}

static PyObject *
exported(PyObject *self, PyObject *args)
{
    unsigned long long address;
    const wpy_extern *items = NULL;
    uint32_t i, count;
    PyObject *known, *make, *tuple;

    (void)self;
    if (!PyArg_ParseTuple(args, "KO!O:exported", &address, &PyDict_Type, &known, &make))
        return NULL;
    count = wpy_module_exports((wpy_module *)(uintptr_t)address, &items);
    if (!(tuple = PyTuple_New(count)))
        return NULL;
    for (i = 0; i < count; i++) {
        PyObject *item = known_or_made(&items[i], known, make);
        if (!item) {
            Py_DECREF(tuple);
            return NULL;
        }
        PyTuple_SetItem(tuple, i, item);
    }
    return tuple;
}

static PyMethodDef functions[] = {
    {"exported", exported, METH_VARARGS,
     "Return an object for each export of a module, known or made."},
    {"described", described, METH_VARARGS, "Return a tuple for each import or export of a module."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_describe(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
