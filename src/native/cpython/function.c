/* function.c: the functions of instances as builtin functions of CPython.
 *
 * `bind_export(…)` makes a builtin function whose `self` is a Callee: a handle on the function in
 * C, and its Signature, which all functions of a type share. A call converts its arguments into
 * cells, calls, and converts the results, all in this file. Where it meets anything else, such as
 * an argument of an unexpected class, an integer out of range, or a function reference, it leaves
 * the call to a SlowCall, and errors to raise_call_error (src/wamr/_runtime/calls.py).
 *
 * A function that is certain to end soon (wpy_func_bounded) is called with the GIL held. Releasing
 * the GIL and taking it again costs more than the function itself, and much more while other
 * threads are busy.
 */
#include "cpython/callable_base.h"
#include "cpython/externrefs.h"
#include "cpython/passing_refs.h"
#include "cpython/signature.h"
#include "cpython/values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Calls with so many cells need no allocation. */
#define FEW_CELLS 64

typedef struct {
    PyObject_HEAD
    wpy_func *fn; /* a handle, owned */
    Signature *signature;
    const uint8_t *kinds; /* copied from `signature`, as are the next three */
    uint32_t param_count, cells;
    bool direct;
#ifndef Py_GIL_DISABLED
    bool bounded;
#endif
    PyObject *lifetime;   /* NULL once the garbage collector has cleared this object */
    PyObject *externrefs; /* the store's ExternrefTable; NULL where the type has no externrefs */
    PyMethodDef def;      /* the definition of the builtin function */
    char *text;           /* `def`'s name, and behind it the docstring; owned */
} Callee;

static PyTypeObject *callee_type;
static PyObject *name_call, *slow_call_class, *raise_call_error, *trap_class;

/* ---- values ---- */

static inline bool
to_cells(const Callee *callee, uint8_t kind, PyObject *value, uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF)
               ? wpy_externref_from_object(callee->externrefs, value, (*cell)++)
               : wpy_value_to_cells(kind, value, cell);
}

static inline PyObject *
from_cells(const Callee *callee, uint8_t kind, const uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF) ? wpy_externref_to_object(callee->externrefs, *(*cell)++)
                                       : wpy_value_from_cells(kind, cell);
}

/* None, the result, or a tuple of the results; NULL with an exception. */
static PyObject *
results_of(const Callee *callee, const uint32_t *cell)
{
    const Signature *signature = callee->signature;
    PyObject *tuple;
    uint32_t i;

    if (signature->result_count == 1)
        return from_cells(callee, signature->results[0], &cell);
    if (!signature->result_count)
        Py_RETURN_NONE;
    if (!(tuple = PyTuple_New(signature->result_count)))
        return NULL;
    for (i = 0; i < signature->result_count; i++) {
        PyObject *value = from_cells(callee, signature->results[i], &cell);
        if (!value) {
            Py_DECREF(tuple);
            return NULL;
        }
        PyTuple_SetItem(tuple, i, value);
    }
    return tuple;
}

/* ---- calls ---- */

/* Leaves the call to Python: SlowCall(lifetime, address, type, name).call(args). */
static PyObject *
slow_call(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple, *object, *result = NULL;

    if (!callee->lifetime) {
        PyErr_SetString(PyExc_ReferenceError, "this function is being collected");
        return NULL;
    }
    if (!(tuple = wpy_tuple(args, count)))
        return NULL;
    object = PyObject_CallFunction(slow_call_class, "OKOs", callee->lifetime,
                                   (unsigned long long)(uintptr_t)callee->fn,
                                   callee->signature->type, callee->text);
    if (object)
        result = PyObject_CallMethodObjArgs(object, name_call, tuple, NULL);
    Py_XDECREF(object);
    Py_DECREF(tuple);
    return result;
}

/* Raises the exception for a call that ended with an error. Its record is this thread's. */
static PyObject *
fail(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    wpy_error error;
    PyObject *tuple, *text, *frames, *raised, *result = NULL;

    if (!wpy_take_error(callee->fn, &error)) { /* impossible: only WPY_BUSY has no record */
        error.status = WPY_CLOSED;
        error.text[0] = 0;
        error.code = 0;
        error.frames = 0;
        error.exception = NULL;
    }
    if (error.status == WPY_HOST &&
        (raised = wpy_take_raised_unless(trap_class, error.code))) { /* only a Trap has frames */
        if (error.frames)
            wpy_take_frames(callee->fn, NULL, 0);
        PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
        Py_DECREF(raised);
        return NULL;
    }
    frames = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(error.frames * sizeof(wpy_frame)));
    if (!frames) {
        if (error.exception)
            wpy_release(error.exception);
        return NULL;
    }
    if (error.frames)
        wpy_take_frames(callee->fn, (wpy_frame *)PyBytes_AsString(frames), error.frames);
    tuple = wpy_tuple(args, count);
    text = PyUnicode_DecodeUTF8(error.text, (Py_ssize_t)strlen(error.text), "replace");
    if (tuple && text && callee->lifetime)
        result = PyObject_CallFunction(raise_call_error, "OKOsOiLOO", callee->lifetime,
                                       (unsigned long long)(uintptr_t)callee->fn,
                                       callee->signature->type, callee->text, tuple, error.status,
                                       error.exception ? (long long)(intptr_t)error.exception
                                                       : (long long)error.code,
                                       text, frames);
    else {
        if (tuple && text) /* collected during the call, which only holds `self` */
            PyErr_SetString(PyExc_ReferenceError, "this function was collected");
        if (error.exception)
            wpy_release(error.exception);
    }
    Py_XDECREF(text);
    Py_XDECREF(tuple);
    Py_DECREF(frames);
    return result;
}

static PyObject *
call(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Callee *callee = (Callee *)self;
    uint32_t few[FEW_CELLS], *cells = few, *cell;
    PyObject *externrefs = callee->externrefs; /* the collector may clear the member meanwhile */
    PyObject *result;
    int status = WPY_BUSY;
    uint32_t i;

    if (UNLIKELY((size_t)count != callee->param_count || !callee->direct || !callee->lifetime))
        return slow_call(callee, args, count);
    if (UNLIKELY(externrefs != NULL) && !wpy_begin_passing(externrefs))
        return slow_call(callee, args, count);
    if (UNLIKELY(callee->cells > FEW_CELLS) && !(cells = malloc(callee->cells * sizeof *cells))) {
        cells = few;
        result = PyErr_NoMemory();
        goto end;
    }
    cell = cells;
    for (i = 0; i < callee->param_count; i++)
        if (UNLIKELY(!to_cells(callee, callee->kinds[i], args[i], &cell))) {
            result = slow_call(callee, args, count);
            goto end;
        }
#ifndef Py_GIL_DISABLED
    if (callee->bounded)
        status = wpy_call_now(callee->fn, cells);
    if (status == WPY_BUSY)
#endif
    {
        PyThreadState *thread = PyEval_SaveThread();
        status = wpy_call_cells(callee->fn, cells, 0, -1, NULL);
        PyEval_RestoreThread(thread);
    }
    if (UNLIKELY(status != WPY_OK))
        result = fail(callee, args, count);
    else
        result = results_of(callee, cells);
end:
    if (UNLIKELY(externrefs != NULL))
        wpy_end_passing(externrefs);
    if (UNLIKELY(cells != few))
        free(cells);
    return result;
}

/* ---- the type of `self` ---- */

static int
callee_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Callee *)self)->signature);
    Py_VISIT(((Callee *)self)->lifetime);
    Py_VISIT(((Callee *)self)->externrefs);
    return 0;
}

static int
callee_clear(PyObject *self)
{
    Py_CLEAR(((Callee *)self)->lifetime); /* first: without it no call uses `externrefs` */
    Py_CLEAR(((Callee *)self)->externrefs);
    return 0;
}

static void
callee_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Callee *callee = (Callee *)self;

    PyObject_GC_UnTrack(self);
    wpy_release_handle(callee->fn);
    callee_clear(self);
    Py_DECREF(callee->signature);
    free(callee->text);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot callee_slots[] = {
    {Py_tp_dealloc, callee_dealloc},
    {Py_tp_traverse, callee_traverse},
    {Py_tp_clear, callee_clear},
    {Py_tp_doc, "A function in C, and how its values are converted."},
    {0, NULL},
};

static PyType_Spec callee_spec = {
    .name = "wamr.wasm_function", /* as in <built-in method add of wamr.wasm_function object> */
    .basicsize = sizeof(Callee),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION, /* made by bind_export() only */
    .slots = callee_slots,
};

/* ---- module functions ---- */

/* bind_export(func, address, name, signature, lifetime): makes func.callable call the function at
 * the address. Takes over the caller's handle on it, also where an exception is raised. */
static PyObject *
bind_export(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *func = args[0], *lifetime = args[4], *function;
    const char *name;
    Callee *callee;
    Py_ssize_t size;
    wpy_func *fn;
    size_t room;

    (void)module;
    if (count != 5 || !PyObject_TypeCheck(func, wpy_callable_base_type) ||
        !PyObject_TypeCheck(args[3], wpy_signature_type)) {
        PyErr_SetString(
            PyExc_TypeError,
            "bind_export() takes a CallableBase, an address, a name, a Signature and a Lifetime");
        return NULL;
    }
    fn = (wpy_func *)(uintptr_t)PyLong_AsUnsignedLongLong(args[1]);
    if (!fn || PyErr_Occurred())
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    if (!(callee = PyObject_GC_New(Callee, callee_type))) {
        wpy_release(fn);
        return NULL;
    }
    callee->fn = fn;
    Py_INCREF(args[3]);
    callee->signature = (Signature *)args[3];
    callee->kinds = callee->signature->kinds;
    callee->param_count = callee->signature->param_count;
    callee->cells = callee->signature->cells;
    callee->direct = callee->signature->direct;
#ifndef Py_GIL_DISABLED
    callee->bounded = wpy_func_bounded(fn);
#endif
    Py_INCREF(lifetime);
    callee->lifetime = lifetime;
    callee->externrefs = NULL;
    callee->text = NULL;
    memset(&callee->def, 0, sizeof callee->def);
    PyObject_GC_Track((PyObject *)callee);
    if (!(name = PyUnicode_AsUTF8AndSize(args[2], &size)) ||
        (callee->signature->externrefs && !(callee->externrefs = wpy_externrefs_of(lifetime)))) {
        Py_DECREF(callee);
        return NULL;
    }
    room = (size_t)size + 1;
    if (!(callee->text = malloc(2 * room + strlen(callee->signature->doc)))) {
        Py_DECREF(callee);
        return PyErr_NoMemory();
    }
    memcpy(callee->text, name, room);
    memcpy(callee->text + room, name, room - 1);
    strcpy(callee->text + room + room - 1, callee->signature->doc);
    callee->def.ml_name = callee->text;
    callee->def.ml_doc = callee->text + room;
    callee->def.ml_meth = (PyCFunction)(void (*)(void))call;
    callee->def.ml_flags = METH_FASTCALL;
    if (!(function = PyCFunction_NewEx(&callee->def, (PyObject *)callee, NULL))) {
        Py_DECREF(callee);
        return NULL;
    }
    if (wpy_callable_bind(func, function, (PyObject *)callee, fn, lifetime) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* set_call(SlowCall, raise_call_error, Trap): sets what this file uses of Python's side. */
static PyObject *
set_call(PyObject *module, PyObject *args)
{
    PyObject *class, *function, *trap;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOO:set_call", &class, &function, &trap))
        return NULL;
    Py_INCREF(class);
    wpy_xsetref(&slow_call_class, class);
    Py_INCREF(function);
    wpy_xsetref(&raise_call_error, function);
    Py_INCREF(trap);
    wpy_xsetref(&trap_class, trap);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"bind_export", (PyCFunction)(void (*)(void))bind_export, METH_FASTCALL,
     "Make a CallableBase call a function in C."},
    {"set_call", set_call, METH_VARARGS, "Set SlowCall, raise_call_error and Trap."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_function(PyObject *module)
{
    if (!(callee_type = (PyTypeObject *)PyType_FromSpec(&callee_spec)) ||
        !(name_call = PyUnicode_InternFromString("call")))
        return -1;
    return PyModule_AddFunctions(module, functions);
}
