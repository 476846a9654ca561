/* kept_exceptions.c: Python exceptions that are kept while wasm code unwinds.
 *
 * An exception of a callback is kept in its thread under a number (`keep_raised`). Python's caller
 * of wasm takes the exception from there (`take_raised`), or wasm code catches a WasmException, and
 * the Python exception is dropped.
 */
#include "cpython/cpython.h"

#include <limits.h>

/* How many exceptions are kept in a thread. There may be several: between the end of a call and
 * the taking of its exception, signal handlers and destructors may make calls that fail. If such a
 * handler raises an exception itself, nobody takes the one that is kept. */
#define MOST_KEPT 8

static PyObject *name_thrown, *thrown_class;

typedef struct {
    int last_number, count;
    struct {
        PyObject *error; /* owned */
        int number;
    } items[MOST_KEPT]; /* oldest first */
} KeptExceptions;

static THREAD_LOCAL KeptExceptions kept;

int
wpy_keep_exception(PyObject *error)
{
    KeptExceptions *here = &kept;
    PyObject *oldest = NULL;
    int number;

    if (!error)
        return WPY_EXCEPTION_LOST;
    number = here->last_number =
        here->last_number > INT_MIN && here->last_number < WPY_EXCEPTION_LOST
            ? here->last_number - 1
            : WPY_EXCEPTION_LOST - 1;
    if (here->count == MOST_KEPT) { /* nobody took the oldest one */
        oldest = here->items[0].error;
        memmove(here->items, here->items + 1, (MOST_KEPT - 1) * sizeof *here->items);
        here->count--;
    }
    here->items[here->count].error = error;
    here->items[here->count++].number = number;
    Py_XDECREF(oldest); /* last, since a destructor may call this function */
    return number;
}

PyObject *
wpy_fetch_exception(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* A WasmException is thrown, too: wasm code may catch it. Its method `_thrown` returns the address
 * of the exception in C and the id of its store; if it raises, that exception is kept instead. */
int
wpy_keep_thrown(PyObject *error)
{
    PyObject *thrown;
    unsigned long long address, store_id;
    int number;

    if (!error || !thrown_class || !PyErr_GivenExceptionMatches(error, thrown_class))
        return wpy_keep_exception(error);
    thrown = PyObject_CallMethodObjArgs(error, name_thrown, NULL);
    if (!thrown || !PyArg_ParseTuple(thrown, "KK", &address, &store_id)) {
        Py_XDECREF(thrown);
        Py_DECREF(error);
        return wpy_keep_exception(wpy_fetch_exception());
    }
    Py_DECREF(thrown);
    number = wpy_keep_exception(error);
    wpy_exception_throw((wpy_exception *)(uintptr_t)address, store_id, number);
    return number;
}

/* The index of the exception with that number; -1 where there is none. */
static int
find(int number)
{
    int i;

    for (i = kept.count - 1; i >= 0 && kept.items[i].number != number; i--)
        ;
    return i;
}

/* Takes the exception at an index: a reference. Newer ones are dropped, since nobody takes them. */
static PyObject *
take(int i)
{
    PyObject *error = kept.items[i].error;

    while (kept.count > i + 1)
        Py_DECREF(kept.items[--kept.count].error);
    kept.count = i;
    return error;
}

PyObject *
wpy_take_raised_unless(PyObject *class, int number)
{
    int i = find(number);

    return i < 0 || PyErr_GivenExceptionMatches(kept.items[i].error, class) ? NULL : take(i);
}

bool
wpy_forget_exception(int number)
{
    PyGILState_STATE state = PyGILState_Ensure();
    int i = find(number);

    if (i >= 0)
        Py_DECREF(take(i));
    PyGILState_Release(state);
    return i >= 0;
}

/* take_raised(number): takes the exception that is kept in this thread under the number; None where
 * there is none. */
static PyObject *
take_raised(PyObject *module, PyObject *number)
{
    int i = find((int)PyLong_AsLong(number));

    (void)module;
    if (i >= 0)
        return take(i);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* The exception of the arguments (kind, error, traceback), as cffi passes them: a reference. */
static PyObject *
raised(PyObject *args)
{
    PyObject *kind, *error, *traceback;

    if (!PyArg_ParseTuple(args, "OOO", &kind, &error, &traceback))
        return NULL;
    if (error != Py_None)
        Py_INCREF(error);
    else if (!(error = PyObject_CallNoArgs(kind)))
        return NULL;
    if (traceback != Py_None)
        PyException_SetTraceback(error, traceback);
    return error;
}

/* keep_raised(kind, error, traceback): keeps an exception of a function that cffi called for our C,
 * and returns its number. In C, because a signal handler may raise between any two instructions of
 * Python code. */
static PyObject *
keep_raised(PyObject *module, PyObject *args)
{
    PyObject *error = raised(args);

    (void)module;
    return error ? PyLong_FromLong(wpy_keep_exception(error)) : NULL;
}

/* throw_raised(kind, error, traceback): the same for an exception of a host function. A
 * WasmException is thrown. */
static PyObject *
throw_raised(PyObject *module, PyObject *args)
{
    PyObject *error = raised(args);

    (void)module;
    return error ? PyLong_FromLong(wpy_keep_thrown(error)) : NULL;
}

/* set_thrown(class): sets the class of the exceptions that wasm code may catch. */
static PyObject *
set_thrown(PyObject *module, PyObject *class)
{
    (void)module;
    Py_INCREF(class);
    wpy_xsetref(&thrown_class, class);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"keep_raised", keep_raised, METH_VARARGS,
     "Keep an exception in this thread, and return its number."},
    {"throw_raised", throw_raised, METH_VARARGS,
     "Keep an exception of a host function, and throw a WasmException in wasm code."},
    {"set_thrown", set_thrown, METH_O, "Set the class of the exceptions that wasm code may catch."},
    {"take_raised", take_raised, METH_O,
     "Take the exception that is kept under a number; None where there is none."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_kept_exceptions(PyObject *module)
{
    if (!(name_thrown = PyUnicode_InternFromString("_thrown")))
        return -1;
    return PyModule_AddFunctions(module, functions);
}
