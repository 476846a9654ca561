/* callbacks.c: calls of host functions, from wasm into Python.
 *
 * `HostFunctionBase` is the base of HostFunction (src/wamr/_runtime/callbacks.py). Our C knows a
 * host function by its id, by which host_registry.c finds the HostFunctionBase.
 *
 * Arguments and results that are numbers or vectors are converted here. Other results go to the
 * method `packed` of the subclass, which converts them, returns the token that suspends the call
 * (for a result that is to be awaited), or raises an exception. Functions whose type
 * has references are called through wpy_py_cells of src/wamr/_runtime/callbacks.py instead.
 *
 * An exception of a callback is kept while wasm unwinds: see kept_exceptions.c. So is one of a
 * signal handler: the interpreter runs handlers between the instructions of Python functions, so
 * where code calls built-in functions only, none would run.
 */
#include "cpython/host_registry.h"
#include "cpython/values.h"

#include <stddef.h>

/* A callback has failed. No number of an exception, and not WPY_SUSPENDS. */
#define FAILED 2

typedef struct {
    PyObject_HEAD
    PyObject *run; /* the callable; NULL once the garbage collector has cleared this object */
    HostRegistration registration;
} HostFunctionBase;

static PyObject *name_packed, *suspend_token;

/* set_suspend(token): sets what a host function returns to suspend the call. */
static PyObject *
set_suspend(PyObject *module, PyObject *token)
{
    (void)module;
    Py_INCREF(token);
    wpy_xsetref(&suspend_token, token);
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

/* Converts the result of a callback by the method `packed`. 0, or FAILED with an exception, or
 * WPY_SUSPENDS for the token. */
static int
results_by_python(PyObject *self, PyObject *value, uint32_t *cells)
{
    PyObject *packed;

    if (value == suspend_token)
        return WPY_SUSPENDS;
    packed = PyObject_CallMethodObjArgs(self, name_packed, value, NULL);
    if (!packed)
        return FAILED;
    if (packed == suspend_token) {
        Py_DECREF(packed);
        return WPY_SUSPENDS;
    }
    if (!PyBytes_Check(packed)) {
        PyErr_SetString(PyExc_TypeError, "packed() must return bytes");
        Py_DECREF(packed);
        return FAILED;
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
    PyObject *self = wpy_host_find(id), *run = NULL, *value, *error = NULL;
    int failed = FAILED;

    if (LIKELY(self != NULL)) {
        LOCK_OBJECT(self);
        run = ((HostFunctionBase *)self)->run;
        Py_XINCREF(run);
        UNLOCK_OBJECT();
    }
    if (UNLIKELY(!run)) {
        Py_XDECREF(self);
        PyErr_SetString(PyExc_ReferenceError,
                        "the host function is gone: nothing keeps its callback alive");
        failed = wpy_keep_exception(wpy_fetch_exception());
        PyGILState_Release(state);
        return failed;
    }
    if (LIKELY((value = call(run, kinds, params, args)) != NULL)) {
        if (results_to_cells(value, kinds + params, results, out))
            failed = LIKELY(PyErr_CheckSignals() == 0) ? 0 : FAILED;
        else
            failed = results_by_python(self, value, out);
        Py_DECREF(value);
    }
    if (UNLIKELY(failed == FAILED))
        error = wpy_fetch_exception();
    Py_DECREF(run);
    Py_DECREF(self);
    if (UNLIKELY(failed == FAILED))
        failed = wpy_keep_thrown(error);
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
    PyObject *run, *old;

    if (!PyArg_ParseTuple(args, "IO:_ready", &id, &run))
        return NULL;
    if (wpy_host_register(&self->registration, id, value) < 0)
        return NULL;
    Py_INCREF(run);
    LOCK_OBJECT(value);
    old = self->run;
    self->run = run;
    UNLOCK_OBJECT();
    Py_XDECREF(old);
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

    wpy_host_unregister(&self->registration, value);
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
    {"set_suspend", set_suspend, METH_O, "Set what a host function returns to suspend the call."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_callbacks(PyObject *module)
{
    if (!wpy_add_type(module, &spec) || !(name_packed = PyUnicode_InternFromString("packed")))
        return -1;
    wpy_host_set_entry(enter_python, wpy_forget_exception);
    return PyModule_AddFunctions(module, functions);
}
