/* callbacks.c: calls of host functions, from wasm into Python.
 *
 * `HostFunctionBase` is the base of HostFunction (src/wamr/_runtime/callbacks.py). Our C knows a
 * host function by its id. The registry below finds the HostFunctionBase of an id; its references
 * are borrowed, and an object removes itself when it is cleared. So only importers keep a callback
 * alive.
 *
 * Arguments and results that are numbers or vectors are converted here. Other results go to the
 * method `packed` of the subclass, which converts them or raises an exception. Functions whose type
 * has references are called through wpy_py_cells of src/wamr/_runtime/callbacks.py instead.
 *
 * An exception of a callback is kept in its thread under a number (`keep_raised`) while wasm
 * unwinds. Python's caller of wasm takes the exception from there (`take_raised`).
 */
#include "cpython/values.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

/* How many exceptions are kept in a thread. There may be several: between the end of a call and
 * the taking of its exception, signal handlers and destructors may make calls that fail. If such a
 * handler raises an exception itself, nobody takes the one that is kept. */
#define MOST_KEPT 8

typedef struct {
    PyObject_HEAD
    PyObject *run; /* the callable */
    uint32_t id;
    bool registered;
} HostFunctionBase;

static PyObject **registry; /* by id; borrowed references, NULL where there is none */
static uint32_t registry_size;
static PyObject *name_packed, *name_thrown, *thrown_class;

/* ---- exceptions that wait in a thread ---- */

typedef struct {
    int last_number, count;
    struct {
        PyObject *error; /* owned */
        int number;
    } items[MOST_KEPT]; /* oldest first */
} KeptExceptions;

static THREAD_LOCAL KeptExceptions kept;

/* Keeps an exception, taking over the reference, and returns its number. */
static int
keep(PyObject *error)
{
    KeptExceptions *here = &kept;
    PyObject *oldest = NULL;
    int number = here->last_number =
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

/* Takes the current exception: a reference, or NULL where there is no memory for the object. */
static PyObject *
fetch(void)
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

/* Keeps the exception of a host function, or NULL, and returns its number. Takes over the
 * reference. A WasmException is thrown, too: wasm code may catch it. Its method `_thrown` returns
 * the address of the exception in C and the id of its store; if it raises, that exception is kept
 * instead. Called last, since the next host function that fails in this thread throws as well. */
static int
keep_thrown(PyObject *error)
{
    PyObject *thrown;
    unsigned long long address, store_id;
    int number;

    if (!error)
        return WPY_EXCEPTION_LOST;
    if (!thrown_class || !PyErr_GivenExceptionMatches(error, thrown_class))
        return keep(error);
    thrown = PyObject_CallMethodObjArgs(error, name_thrown, NULL);
    if (!thrown || !PyArg_ParseTuple(thrown, "KK", &address, &store_id)) {
        Py_XDECREF(thrown);
        Py_DECREF(error);
        return (error = fetch()) ? keep(error) : WPY_EXCEPTION_LOST;
    }
    Py_DECREF(thrown);
    number = keep(error);
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

/* Called by our C, without the GIL (include/entry.h). */
static bool
forget(int number)
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
    return error ? PyLong_FromLong(keep(error)) : NULL;
}

/* throw_raised(kind, error, traceback): the same for an exception of a host function. A
 * WasmException is thrown. */
static PyObject *
throw_raised(PyObject *module, PyObject *args)
{
    PyObject *error = raised(args);

    (void)module;
    return error ? PyLong_FromLong(keep_thrown(error)) : NULL;
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

/* ---- calls ---- */

/* Calls `run` with `count` arguments in cells. A new reference, or NULL with an exception. */
static PyObject *
call(PyObject *run, const uint8_t *kinds, uint32_t count, const uint32_t *cell)
{
    PyObject *few[4] = {NULL, NULL, NULL, NULL}, *tuple, *result = NULL;
    uint32_t i;

    if (count > 4) {
        if (!(tuple = PyTuple_New(count)))
            return NULL;
        for (i = 0; i < count; i++) {
            PyObject *value = wpy_value_from_cells(kinds[i], &cell);
            if (!value) {
                Py_DECREF(tuple);
                return NULL;
            }
            PyTuple_SetItem(tuple, i, value);
        }
        result = PyObject_Call(run, tuple, NULL);
        Py_DECREF(tuple);
        return result;
    }
    for (i = 0; i < count; i++)
        if (!(few[i] = wpy_value_from_cells(kinds[i], &cell)))
            goto end;
    result = count ? PyObject_CallFunctionObjArgs(run, few[0], few[1], few[2], few[3], NULL)
                   : PyObject_CallNoArgs(run);
end:
    for (i = 0; i < count; i++)
        Py_XDECREF(few[i]);
    return result;
}

/* Converts the result of a callback: None, a value, or a tuple of the right length. False where a
 * value needs `packed`; no exception is set. */
static bool
results_to_cells(PyObject *value, const uint8_t *kinds, uint32_t count, uint32_t *cell)
{
    uint32_t i;

    if (count == 1)
        return wpy_value_to_cells(kinds[0], value, &cell);
    if (!count)
        return value == Py_None;
    if (!PyTuple_Check(value) || PyTuple_Size(value) != (Py_ssize_t)count)
        return false;
    for (i = 0; i < count; i++)
        if (!wpy_value_to_cells(kinds[i], PyTuple_GetItem(value, i), &cell))
            return false;
    return true;
}

/* Converts the result of a callback by the method `packed`. 0, or 1 with an exception. */
static int
results_by_python(PyObject *self, PyObject *value, uint32_t *cells)
{
    PyObject *packed = PyObject_CallMethodObjArgs(self, name_packed, value, NULL);

    if (!packed)
        return 1;
    if (!PyBytes_Check(packed)) {
        PyErr_SetString(PyExc_TypeError, "packed() must return bytes");
        Py_DECREF(packed);
        return 1;
    }
    memcpy(cells, PyBytes_AsString(packed), (size_t)PyBytes_Size(packed));
    Py_DECREF(packed);
    return 0;
}

/* The entry that our C calls (include/entry.h), without the GIL. Returns 0, or the number of the
 * exception that is kept. */
static int
enter_python(uint32_t id, const uint8_t *kinds, uint32_t params, uint32_t results,
             const uint32_t *args, uint32_t *out)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *self = id < registry_size ? registry[id] : NULL,
             *run = self ? ((HostFunctionBase *)self)->run : NULL, *value, *error = NULL;
    int failed = 1;

    /* Without references it is being deallocated, and what that runs may come here. */
    if (UNLIKELY(!run || !Py_REFCNT(self))) {
        PyErr_SetString(PyExc_ReferenceError,
                        "the host function is gone: nothing keeps its callback alive");
        failed = (error = fetch()) ? keep(error) : WPY_EXCEPTION_LOST;
        PyGILState_Release(state);
        return failed;
    }
    Py_INCREF(self);
    Py_INCREF(run);
    if (LIKELY((value = call(run, kinds, params, args)) != NULL)) {
        failed = results_to_cells(value, kinds + params, results, out)
                     ? 0
                     : results_by_python(self, value, out);
        Py_DECREF(value);
    }
    if (UNLIKELY(failed))
        error = fetch();
    Py_DECREF(run);
    Py_DECREF(self);
    if (UNLIKELY(failed))
        failed = keep_thrown(error);
    PyGILState_Release(state);
    return failed;
}

/* ---- the type ---- */

/* _ready(id, run): registers this object as the host function with that id. */
static PyObject *
ready(PyObject *value, PyObject *args)
{
    HostFunctionBase *self = (HostFunctionBase *)value;
    unsigned int id;
    PyObject *run;

    if (!PyArg_ParseTuple(args, "IO:_ready", &id, &run))
        return NULL;
    if (id >= registry_size) {
        uint32_t size = id < 32 ? 64 : id * 2;
        PyObject **larger = realloc(registry, size * sizeof *larger);
        if (!larger)
            return PyErr_NoMemory();
        memset(larger + registry_size, 0, (size - registry_size) * sizeof *larger);
        registry = larger;
        registry_size = size;
    }
    self->id = id;
    self->registered = true;
    registry[id] = value;
    Py_INCREF(run);
    wpy_xsetref(&self->run, run);
    Py_RETURN_NONE;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((HostFunctionBase *)self)->run);
    return 0;
}

static int
clear(PyObject *value)
{
    HostFunctionBase *self = (HostFunctionBase *)value;

    if (self->registered && registry[self->id] == value)
        registry[self->id] = NULL;
    self->registered = false;
    Py_CLEAR(self->run);
    return 0;
}

static void
dealloc(PyObject *self)
{
    wpy_dealloc(self, clear);
}

static PyMethodDef methods[] = {
    {"_ready", ready, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_doc, "A host function, which C calls by its id."},
    {0, NULL},
};

static PyType_Spec spec = WPY_BASE_SPEC(HostFunctionBase, slots);

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
wpy_add_callbacks(PyObject *module)
{
    if (!wpy_add_type(module, &spec) || !(name_packed = PyUnicode_InternFromString("packed")) ||
        !(name_thrown = PyUnicode_InternFromString("_thrown")))
        return -1;
    wpy_host_set_entry(enter_python, forget);
    return PyModule_AddFunctions(module, functions);
}
