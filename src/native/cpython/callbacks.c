/* callbacks.c: a call of a host function, from wasm into Python.
 *
 * `HostFunctionBase` is the base of callbacks.py's HostFunction: what is to be called, under the
 * number by which our C knows the host function
 * (`_ready`). The registry below borrows: a HostFunctionBase takes itself out when it goes, so what
 * keeps a callback alive is only who imports it. Arguments and results that are numbers or vectors
 * are converted here; a result that is something else goes to the method `packed`, which converts
 * it, or says what is wrong. Types with references are called through callbacks.py's wpy_py_cells.
 * An exception waits in this thread under a number (`keep_raised`) while wasm unwinds; whoever
 * called into wasm from Python takes it out (`take_raised`).
 */
#include "cpython/values.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

/* Exceptions that may wait in a thread. Between a call's end and its exception's being taken,
   signal handlers and destructors may make calls that fail, too; and what a handler raises comes
   out there, so nobody takes that exception. */
#define MOST_KEPT 8

typedef struct {
    PyObject_HEAD PyObject *run; /* what is called */
    uint32_t id;
    bool ready;
} HostFunctionBase;

static PyObject **registry; /* by id; borrowed; under the GIL */
static uint32_t room;
static PyObject *name_packed, *name_throw, *thrown_class;

typedef struct {
    int last, count; /* the number of the newest; how many there are */
    struct {
        PyObject *error;
        int number;
    } of[MOST_KEPT]; /* the newest last */
} Kept;

#if defined(_MSC_VER)
static __declspec(thread) Kept kept;
#else
static THREAD_LOCAL Kept kept;
#endif

/* ---- a call ---- */

/* Keeps an exception, whose reference it takes over, for the caller in Python; its number. */
static int
keep(PyObject *error)
{
    Kept *mine = &kept;
    PyObject *oldest = NULL;
    int number = mine->last =
        mine->last > INT_MIN && mine->last < WPY_NOT_KEPT ? mine->last - 1 : WPY_NOT_KEPT - 1;

    if (mine->count == MOST_KEPT) { /* nobody came for it */
        oldest = mine->of[0].error;
        memmove(mine->of, mine->of + 1, (MOST_KEPT - 1) * sizeof *mine->of);
        mine->count--;
    }
    mine->of[mine->count].error = error;
    mine->of[mine->count++].number = number;
    Py_XDECREF(oldest); /* last: it may run any code, this function, too */
    return number;
}

/* Keeps it, and throws it, too, if it is a WasmException: wasm code may catch it. Its _throw() makes
   it ready, or raises why that can't be, which then comes out in its place. It is thrown at the very
   end: Python has run nothing since, which could throw or trap in the same instance. Takes over the
   reference to the error; its number. */
static int
keep_thrown(PyObject *error)
{
    PyObject *ready, *type, *value, *traceback;
    int number;

    if (!thrown_class || !PyErr_GivenExceptionMatches(error, thrown_class))
        return keep(error);
    if ((ready = PyObject_CallMethodObjArgs(error, name_throw, NULL))) {
        void *exception = ready == Py_None ? NULL : PyLong_AsVoidPtr(ready);

        Py_DECREF(ready);
        number = keep(error);
        wpy_exception_throw(exception, number);
        return number;
    }
    Py_DECREF(error);
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value ? keep(value) : WPY_NOT_KEPT;
}

/* Keeps the exception that is set. */
static int
keep_exception(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value ? keep_thrown(value) : WPY_NOT_KEPT;
}

/* Where the exception of that number is; -1: nowhere. */
static int
find(int number)
{
    int i;

    for (i = kept.count - 1; i >= 0 && kept.of[i].number != number; i--)
        ;
    return i;
}

/* Takes it out, a reference. What came after it, nobody came for. */
static PyObject *
take(int i)
{
    PyObject *error = kept.of[i].error;

    while (kept.count > i + 1)
        Py_DECREF(kept.of[--kept.count].error);
    kept.count = i;
    return error;
}

static PyObject *
call(PyObject *run, const uint8_t *kinds, uint32_t count, const uint32_t *cell)
{
    PyObject *few[4] = {NULL, NULL, NULL, NULL}, *tuple, *result = NULL;
    uint32_t i;

    if (count > 4) {
        if (!(tuple = PyTuple_New(count)))
            return NULL;
        for (i = 0; i < count; i++) {
            PyObject *value = wpy_get(kinds[i], &cell);
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
        if (!(few[i] = wpy_get(kinds[i], &cell)))
            goto end;
    result = count ? PyObject_CallFunctionObjArgs(run, few[0], few[1], few[2], few[3], NULL)
                   : PyObject_CallNoArgs(run);
end:
    for (i = 0; i < count; i++)
        Py_XDECREF(few[i]);
    return result;
}

/* Writes what a callback returned, if it is plain: one value, or as many as there should be. */
static bool
put_plain(PyObject *value, const uint8_t *kinds, uint32_t count, uint32_t *cell)
{
    uint32_t i;

    if (count == 1)
        return wpy_put(kinds[0], value, &cell);
    if (!count)
        return value == Py_None;
    if (!PyTuple_Check(value) || PyTuple_Size(value) != (Py_ssize_t)count)
        return false;
    for (i = 0; i < count; i++)
        if (!wpy_put(kinds[i], PyTuple_GetItem(value, i), &cell))
            return false;
    return true;
}

/* The rest of it, by Python; 0, or 1 with an exception. */
static int
put_other(PyObject *callback, PyObject *value, uint32_t *cells)
{
    PyObject *packed = PyObject_CallMethodObjArgs(callback, name_packed, value, NULL);

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

/* What our C calls, without the GIL: argument cells in, result cells out; 0, or the number of the
 * exception that waits. */
static int
called(uint32_t id, const uint8_t *kinds, uint32_t params, uint32_t results, const uint32_t *args,
       uint32_t *out)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *callback = id < room ? registry[id] : NULL,
             *run = callback ? ((HostFunctionBase *)callback)->run : NULL, *value;
    int failed = 1;

    if (UNLIKELY(
            !run ||
            !Py_REFCNT(callback))) { /* none, or on its way out: what goes with it may run code */
        PyErr_SetString(PyExc_ReferenceError,
                        "the host function is gone: nothing keeps its callback alive");
        failed = keep_exception();
        PyGILState_Release(state);
        return failed;
    }
    Py_INCREF(callback);
    Py_INCREF(run);
    if (LIKELY((value = call(run, kinds, params, args)) != NULL)) {
        failed =
            put_plain(value, kinds + params, results, out) ? 0 : put_other(callback, value, out);
        Py_DECREF(value);
    }
    if (UNLIKELY(failed))
        failed = keep_exception();
    Py_DECREF(run);
    Py_DECREF(callback);
    PyGILState_Release(state);
    return failed;
}

/* The exception that waits in this thread under that number, taken; NULL: there is none, or it is
   of this class and stays. */
PyObject *
wpy_take_raised_but(PyObject *class, int number)
{
    int i = find(number);

    return i < 0 || PyErr_GivenExceptionMatches(kept.of[i].error, class) ? NULL : take(i);
}

/* wasm code has caught the exception that waits under that number. */
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

/* take_raised(number): the exception that waits in this thread under that number, or None. */
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

/* throw_raised(kind, error, traceback): the same as keep_raised for a host function, whose
   WasmException is thrown. */
static PyObject *
throw_raised(PyObject *module, PyObject *args)
{
    PyObject *kind, *error, *traceback;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOO:throw_raised", &kind, &error, &traceback))
        return NULL;
    if (error != Py_None)
        Py_INCREF(error);
    else if (!(error = PyObject_CallNoArgs(kind)))
        return NULL;
    if (traceback != Py_None)
        PyException_SetTraceback(error, traceback);
    return PyLong_FromLong(keep_thrown(error));
}

/* set_thrown(class): exceptions of this class that host functions raise are thrown. */
static PyObject *
set_thrown(PyObject *module, PyObject *class)
{
    PyObject *old = thrown_class;

    (void)module;
    Py_INCREF(class);
    thrown_class = class;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

/* keep_raised(kind, error, traceback): keeps what a function has raised that cffi called for our C;
   its number. Not in Python, where a signal handler could raise before the exception is safe. */
static PyObject *
keep_raised(PyObject *module, PyObject *args)
{
    PyObject *kind, *error, *traceback;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOO:keep_raised", &kind, &error, &traceback))
        return NULL;
    if (error != Py_None)
        Py_INCREF(error);
    else if (!(error = PyObject_CallNoArgs(kind)))
        return NULL;
    if (traceback != Py_None)
        PyException_SetTraceback(error, traceback);
    return PyLong_FromLong(keep(error));
}

/* ---- the type ---- */

/* _ready(id, run): from now on this is the host function of that number. */
static PyObject *
ready(PyObject *self, PyObject *args)
{
    HostFunctionBase *callback = (HostFunctionBase *)self;
    unsigned int id;
    PyObject *run, *old = callback->run;

    if (!PyArg_ParseTuple(args, "IO:_ready", &id, &run))
        return NULL;
    if (id >= room) {
        uint32_t more = id < 32 ? 64 : id * 2;
        PyObject **larger = realloc(registry, more * sizeof *larger);
        if (!larger)
            return PyErr_NoMemory();
        memset(larger + room, 0, (more - room) * sizeof *larger);
        registry = larger;
        room = more;
    }
    Py_INCREF(run);
    callback->run = run;
    callback->id = id;
    callback->ready = true;
    registry[id] = self;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static int
clear(PyObject *self)
{
    HostFunctionBase *callback = (HostFunctionBase *)self;

    if (callback->ready && registry[callback->id] == self)
        registry[callback->id] = NULL;
    callback->ready = false;
    Py_CLEAR(callback->run);
    return 0;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((HostFunctionBase *)self)->run);
    return 0;
}

static void
dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    release(self);
    Py_DECREF(type);
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
    {Py_tp_doc, "What C calls under a number."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.HostFunctionBase",
    .basicsize = sizeof(HostFunctionBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyMethodDef functions[] = {
    {"keep_raised", keep_raised, METH_VARARGS,
     "Let an exception wait in this thread, and return its number."},
    {"throw_raised", throw_raised, METH_VARARGS,
     "Let an exception of a host function wait, and throw it if wasm code may catch it."},
    {"set_thrown", set_thrown, METH_O, "Name the class of the exceptions that are thrown."},
    {"take_raised", take_raised, METH_O,
     "Return the exception that waits under that number, or None."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_callback(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    if (!type || PyModule_AddObject(module, "HostFunctionBase", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    if (!(name_packed = PyUnicode_InternFromString("packed")) ||
        !(name_throw = PyUnicode_InternFromString("_throw")))
        return -1;
    wpy_host_set_entry(called, forget);
    return PyModule_AddFunctions(module, functions);
}
