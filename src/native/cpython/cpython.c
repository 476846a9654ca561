/* cpython.c: what the types of this folder have in common. */
#include "cpython/cpython.h"

void
wpy_let_go(void *object)
{
    if (!wpy_release_unless_last(object)) { /* the last of its group: what may take a while */
        PyThreadState *thread = PyEval_SaveThread();
        wpy_release(object);
        PyEval_RestoreThread(thread);
    }
}

/* Makes the type a member of the module; borrowed, as long as that lives. */
PyTypeObject *
wpy_added(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);

    if (type && PyModule_AddObject(module, name, type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}
