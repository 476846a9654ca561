/* describe.c: what a module imports or exports, as tuples.
 *
 * `described(address, imports)` answers one tuple for each: (kind, index, module or None, name, a, b, min, max). For a
 * function a and b are the bytes of its parameters' and its results' types; for the others a is the type of the element
 * or content and b the flags, both ints (wpy_extern in wpy.h tells what they mean). src/wamr/module.py makes types of it.
 */
#include "cpython.h"

static PyObject *
one(const wpy_extern *item)
{
    PyObject *module, *name;

    name = PyUnicode_DecodeUTF8((const char *)item->name, item->name_size, "strict");
    if (!name)
        return NULL;
    if (item->module)
        module = PyUnicode_DecodeUTF8((const char *)item->module, item->module_size, "strict");
    else {
        Py_INCREF(Py_None);
        module = Py_None;
    }
    if (!module) {
        Py_DECREF(name);
        return NULL;
    }
    if (item->kind == 0)
        return Py_BuildValue("iINNy#y#II", item->kind, item->index, module, name, (const char *)item->params,
                             (Py_ssize_t)item->param_count, (const char *)item->results, (Py_ssize_t)item->result_count,
                             0u, 0u);
    return Py_BuildValue("iINNiiII", item->kind, item->index, module, name, item->content, item->flags, item->min,
                         item->max);
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
    count = (imports ? wpy_module_imports : wpy_module_exports)((wpy_module *)(uintptr_t)address, &items);
    if (!(list = PyList_New(count)))
        return NULL;
    for (i = 0; i < count; i++) {
        PyObject *item = one(&items[i]);
        if (!item) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SetItem(list, i, item);
    }
    return list;
}

static PyMethodDef functions[] = {
    { "described", described, METH_VARARGS, "Return what a module imports or exports, a tuple each." },
    { NULL, NULL, 0, NULL },
};

int
wpy_add_described(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
