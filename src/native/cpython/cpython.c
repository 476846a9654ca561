/* cpython.c: helpers that the types of this folder share. */
#include "cpython/cpython.h"

#include <string.h>

PyTypeObject *
wpy_add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);

    if (type && PyModule_AddObject(module, strrchr(spec->name, '.') + 1, type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

PyObject *
wpy_tuple(PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    Py_ssize_t i;

    for (i = 0; tuple && i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(tuple, i, args[i]);
    }
    return tuple;
}

PyObject *
wpy_call_method(PyObject *self, PyObject *name, PyObject *const *args, Py_ssize_t count,
                PyObject *keyword_names)
{
    Py_ssize_t i, named = keyword_names ? PyTuple_Size(keyword_names) : 0;
    PyObject *method = NULL, *tuple = NULL, *keywords = NULL, *result = NULL;

    if (!(method = PyObject_GetAttr(self, name)) || !(tuple = wpy_tuple(args, count)))
        goto end;
    if (named && !(keywords = PyDict_New()))
        goto end;
    for (i = 0; i < named; i++)
        if (PyDict_SetItem(keywords, PyTuple_GetItem(keyword_names, i), args[count + i]) < 0)
            goto end;
    result = PyObject_Call(method, tuple, keywords);
end:
    Py_XDECREF(keywords);
    Py_XDECREF(tuple);
    Py_XDECREF(method);
    return result;
}

void
wpy_release_handle(void *object)
{
    if (!wpy_release_unless_last(
            object)) { /* the last handle on its group: freeing may take a while */
        PyThreadState *thread = PyEval_SaveThread();
        wpy_release(object);
        PyEval_RestoreThread(thread);
    }
}
