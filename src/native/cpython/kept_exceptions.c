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

    if (!PyErr_Occurred()) /* CPython may do that when a `raise` has no memory */
        PyErr_SetString(PyExc_SystemError, "Python code failed without setting an exception");
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
raised(PyObject *const *args, Py_ssize_t count)
{
    PyObject *error;

    if (count != 3)
        return PyErr_Format(PyExc_TypeError, "expected 3 arguments, not %zd", count);
    if (args[1] != Py_None)
        Py_INCREF(error = args[1]);
    else if (!(error = args[0] == Py_None ? wpy_fetch_exception() : PyObject_CallNoArgs(args[0])))
        return NULL;
    if (args[2] != Py_None)
        PyException_SetTraceback(error, args[2]);
    return error;
}

/* The number of a kept exception as an object. Where there is no memory for that, a MemoryError
 * takes the exception's place. Its number is WPY_EXCEPTION_LOST, whose object always exists. */
static PyObject *
number_object(int number)
{
    PyObject *object = PyLong_FromLong(number), *error;
    int i = find(number);

    if (object || i < 0)
        return object;
    if ((error = wpy_fetch_exception()) != NULL) {
        PyException_SetContext(error, take(i));
        kept.items[kept.count].error = error;
        kept.items[kept.count++].number = WPY_EXCEPTION_LOST;
    }
    return PyLong_FromLong(WPY_EXCEPTION_LOST);
}

/* keep_raised(kind, error, traceback): keeps an exception of a function that cffi called for our C,
 * and returns its number. In C, because a signal handler may raise between any two instructions of
 * Python code. */
static PyObject *
keep_raised(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *error = raised(args, count);

    (void)module;
    return error ? number_object(wpy_keep_exception(error)) : NULL;
}

/* throw_raised(kind, error, traceback): the same for an exception of a host function. A
 * WasmException is thrown. */
static PyObject *
throw_raised(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *error = raised(args, count);

    (void)module;
    return error ? number_object(wpy_keep_thrown(error)) : NULL;
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
    {"keep_raised", (PyCFunction)(void (*)(void))keep_raised, METH_FASTCALL,
     "Keep an exception in this thread, and return its number."},
    {"throw_raised", (PyCFunction)(void (*)(void))throw_raised, METH_FASTCALL,
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
