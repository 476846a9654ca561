/* interpreter.c: the module works in the main interpreter of a process, and says so in the others.
 *
 * Everything here that asks for the GIL, and all of cffi's callbacks, use PyGILState, which knows
 * the main interpreter only: from another one that shares its GIL, asking waits for ever for what
 * this thread has. What is static here would be shared by all interpreters, too. So
 * sub-interpreters are refused as early as it can be: when the module is loaded, before cffi is
 * (wpy_init), and when wamr._binding runs, since a module of this kind is loaded once in a process
 * and only copied for the next interpreter.
 */
#include "cpython/cpython.h"

/* As in src/wamr/_backend/binding.py. */
static const char refusal[] = "wamr works in the main interpreter only, and this is a "
                              "sub-interpreter; use processes in place "
                              "of sub-interpreters (in mod_wsgi: WSGIApplicationGroup %{GLOBAL})";

/* -1, with an ImportError: this is a sub-interpreter. */
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
