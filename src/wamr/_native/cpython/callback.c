/* callback.c: a call of a host function, from wasm into Python.
 *
 * `Callback` is the base of host.py's Host: what is to be called, under the number by which our C knows the host function
 * (`_ready`). The registry below borrows: a Callback takes itself out when it goes, so what keeps a callback alive is
 * only who imports it. Arguments and results that are numbers or vectors are converted here; a result that is something
 * else goes to the method `packed`, which converts it, or says what is wrong. Types with references are called through
 * host.py's wpy_py_cells. An exception waits in this thread (`take_raised`) while wasm unwinds; whoever called into wasm
 * from Python takes it out.
 */
#include "values.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct {
    PyObject_HEAD
    PyObject *run; /* what is called */
    uint32_t id;
    bool ready;
} Callback;

static PyObject **registry; /* by id; borrowed; under the GIL */
static uint32_t room;
static PyObject *name_packed;

#if defined(_MSC_VER)
static __declspec(thread) PyObject *raised;
#else
static __thread PyObject *raised;
#endif

/* ---- a call ---- */

/* Keeps the exception that is set for the caller in Python. */
static int
keep_exception(void)
{
    PyObject *type, *value, *traceback, *before = raised;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    raised = value;
    Py_XDECREF(before); /* last: it may run any code, this function, too */
    return 1;
}

static PyObject *
call(PyObject *run, const uint8_t *kinds, uint32_t count, const uint32_t *cell)
{
    PyObject *few[4] = { NULL, NULL, NULL, NULL }, *tuple, *result = NULL;
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
    result = count ? PyObject_CallFunctionObjArgs(run, few[0], few[1], few[2], few[3], NULL) : PyObject_CallNoArgs(run);
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

/* What our C calls, without the GIL: argument cells in, result cells out; 0, or 1: it failed, the exception waits. */
static int
called(uint32_t id, const uint8_t *kinds, uint32_t params, uint32_t results, const uint32_t *args, uint32_t *out)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *callback = id < room ? registry[id] : NULL, *run = callback ? ((Callback *)callback)->run : NULL, *value;
    int failed = 1;

    if (UNLIKELY(!run || !Py_REFCNT(callback))) { /* none, or on its way out: what goes with it may run code */
        PyErr_SetString(PyExc_ReferenceError, "the host function is gone: nothing keeps its callback alive");
        keep_exception();
        PyGILState_Release(state);
        return 1;
    }
    Py_INCREF(callback);
    Py_INCREF(run);
    if (LIKELY((value = call(run, kinds, params, args)) != NULL)) {
        failed = put_plain(value, kinds + params, results, out) ? 0 : put_other(callback, value, out);
        Py_DECREF(value);
    }
    if (UNLIKELY(failed))
        keep_exception();
    Py_DECREF(run);
    Py_DECREF(callback);
    PyGILState_Release(state);
    return failed;
}

/* The exception that waits in this thread, taken; NULL: there is none, or it is of this class and stays. */
PyObject *
wpy_take_raised_but(PyObject *class)
{
    PyObject *error = raised;

    if (!error || PyErr_GivenExceptionMatches(error, class))
        return NULL;
    raised = NULL;
    return error;
}

/* take_raised(): the exception that waits in this thread, or None. */
static PyObject *
take_raised(PyObject *module, PyObject *args)
{
    PyObject *error = raised;

    (void)module;
    (void)args;
    if (!error)
        Py_RETURN_NONE;
    raised = NULL;
    return error;
}

/* ---- the type ---- */

/* _ready(id, run): from now on this is the host function of that number. */
static PyObject *
ready(PyObject *self, PyObject *args)
{
    Callback *callback = (Callback *)self;
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
    Callback *callback = (Callback *)self;

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
    Py_VISIT(((Callback *)self)->run);
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
    { "_ready", ready, METH_VARARGS, NULL },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_dealloc, dealloc }, { Py_tp_traverse, traverse },
    { Py_tp_clear, clear },     { Py_tp_methods, methods },
    { Py_tp_doc, "What C calls under a number." },
    { 0, NULL },
};

static PyType_Spec spec = {
    .name = "wamr._wamr.Callback",
    .basicsize = sizeof(Callback),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyMethodDef functions[] = {
    { "take_raised", take_raised, METH_NOARGS, "Return the exception that waits in this thread, or None." },
    { NULL, NULL, 0, NULL },
};

int
wpy_add_callback(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    if (!type || PyModule_AddObject(module, "Callback", type) < 0) {
        Py_XDECREF(type);
        return -1;
    }
    if (!(name_packed = PyUnicode_InternFromString("packed")))
        return -1;
    wpy_host_set_entry(called);
    return PyModule_AddFunctions(module, functions);
}
