/* interpreter.c: refuses sub-interpreters, since the module works in the main interpreter only.
 *
 * The code that takes the GIL here, and cffi's callbacks, use PyGILState, which knows only the main
 * interpreter. In a sub-interpreter that shares the main interpreter's GIL, PyGILState_Ensure()
 * would wait for ever for a GIL that its own thread holds. Static variables would be shared by all
 * interpreters, too.
 *
 * The check comes as early as possible. wpy_init() makes it before cffi is loaded. The Python
 * package wamr._backend makes it again, because an extension module of this kind is initialised
 * once in a process, and only copied for other interpreters.
 */
#include "cpython/cpython.h"

/* The same text is in src/wamr/_backend/__init__.py. */
static const char refusal[] = "wamr works in the main interpreter only, and this is a "
                              "sub-interpreter; use processes in place "
                              "of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})";

int
wpy_check_interpreter(void)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0)
        return 0;
    PyErr_SetString(PyExc_ImportError, refusal);
    return -1;
}

static PyObject *
check_interpreter(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    if (wpy_check_interpreter() < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"check_interpreter", check_interpreter, METH_NOARGS,
     "Raise ImportError in a sub-interpreter."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_interpreter(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
