/* function.c: a function of wasm as a function of CPython.
 *
 * `bind_export(…)` makes a builtin function whose `self` is a Callee: a handle on the function in
 * C, and its Signature, which all functions of a type share. A call converts its arguments into the
 * cells of WAMR, calls, and converts the results, all here. What it does not know at once, an
 * argument of a class that it does not expect, one out of range, a reference, goes to the method
 * `call` of a SlowCall made for it, and what went wrong to `failed` (src/wamr/_runtime/calls.py):
 * they know how to do it and what to say.
 *
 * A function that is sure to end soon (wpy_func_bounded) is called with the GIL held: giving it up
 * and taking it again would cost more than the function, and beside a busy thread much more.
 */
#include "cpython/callable_base.h"
#include "cpython/externrefs.h"
#include "cpython/signature.h"
#include "cpython/values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Cells that need no block of their own. */
#define FEW_CELLS 64

/* ---- one function ---- */

typedef struct {
    PyObject_HEAD wpy_func *fn; /* a handle, ours */
    Signature *signature;       /* and what is in it, at hand */
    const uint8_t *kinds;
    uint32_t param_count, cells;
    bool direct;
#ifndef Py_GIL_DISABLED
    bool bounded;
#endif
    PyObject *owner;   /* NULL: cleared by the collector */
    PyObject *numbers; /* of the store's externrefs; NULL: there are none in the type */
    PyMethodDef def;   /* what the builtin function is made from */
    char *text;        /* its name and docstring */
} Callee;

static PyTypeObject *callee_type;
static PyObject *name_call, *call_class, *call_failed, *trap_class;

/* One argument, or an externref. */
static inline bool
put(const Callee *callee, uint8_t kind, PyObject *value, uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF) ? wpy_number_of(callee->numbers, value, (*cell)++)
                                       : wpy_put(kind, value, cell);
}

static inline PyObject *
get(const Callee *callee, uint8_t kind, const uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF) ? wpy_object_of(callee->numbers, *(*cell)++)
                                       : wpy_get(kind, cell);
}

static PyObject *
results_of(const Callee *callee, const uint32_t *cell)
{
    const Signature *signature = callee->signature;
    PyObject *tuple;
    uint32_t i;

    if (signature->result_count == 1)
        return get(callee, signature->results[0], &cell);
    if (!signature->result_count)
        Py_RETURN_NONE;
    if (!(tuple = PyTuple_New(signature->result_count)))
        return NULL;
    for (i = 0; i < signature->result_count; i++) {
        PyObject *value = get(callee, signature->results[i], &cell);
        if (!value) {
            Py_DECREF(tuple);
            return NULL;
        }
        PyTuple_SetItem(tuple, i, value);
    }
    return tuple;
}

/* ---- calls ---- */

static PyObject *
tuple_of(PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple = PyTuple_New(count);
    Py_ssize_t i;

    for (i = 0; tuple && i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(tuple, i, args[i]);
    }
    return tuple;
}

/* Leaves it to Python. */
static PyObject *
slow_call(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple, *object, *result = NULL;

    if (!callee->owner) {
        PyErr_SetString(PyExc_ReferenceError, "this function is being collected");
        return NULL;
    }
    if (!(tuple = tuple_of(args, count)))
        return NULL;
    object = PyObject_CallFunction(call_class, "OKOs", callee->owner,
                                   (unsigned long long)(uintptr_t)callee->fn,
                                   callee->signature->type, callee->text);
    if (object)
        result = PyObject_CallMethodObjArgs(object, name_call, tuple, NULL);
    Py_XDECREF(object);
    Py_DECREF(tuple);
    return result;
}

/* The call ended with an error, whose record is this thread's. */
static PyObject *
failed(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    wpy_error error;
    PyObject *tuple, *text, *frames, *raised, *result = NULL;

    if (!wpy_take_error(callee->fn, &error)) { /* can't be: each status but WPY_BUSY has one */
        error.status = WPY_CLOSED;
        error.text[0] = 0;
        error.code = 0;
        error.frames = 0;
        error.exception = NULL;
    }
    if (error.status == WPY_HOST &&
        (raised = wpy_take_raised_but(trap_class, error.code))) { /* only a Trap tells of frames */
        if (error.frames)
            wpy_take_frames(callee->fn, NULL, 0);
        PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
        Py_DECREF(raised);
        return NULL;
    }
    if (!(frames =
              PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(error.frames * sizeof(wpy_frame))))) {
        if (error.exception)
            wpy_release(error.exception);
        return NULL;
    }
    if (error.frames)
        wpy_take_frames(callee->fn, (wpy_frame *)PyBytes_AsString(frames), error.frames);
    tuple = tuple_of(args, count);
    text = PyUnicode_DecodeUTF8(error.text, (Py_ssize_t)strlen(error.text), "replace");
    if (tuple && text && callee->owner)
        result = PyObject_CallFunction(
            call_failed, "OKOsOiLOO", callee->owner, (unsigned long long)(uintptr_t)callee->fn,
            callee->signature->type, callee->text, tuple, error.status,
            error.exception ? (long long)(intptr_t)error.exception : error.code, text, frames);
    else {
        if (tuple && text) /* collected while it ran: only `self` is held */
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
    PyObject *numbers = callee->numbers; /* the collector may clear that meanwhile */
    PyObject *result;
    int status = WPY_BUSY;
    uint32_t i;

    if (UNLIKELY((size_t)count != callee->param_count || !callee->direct || !callee->owner))
        return slow_call(callee, args, count);
    if (UNLIKELY(numbers != NULL) && !wpy_pass_begin(numbers))
        return slow_call(callee, args, count);
    if (UNLIKELY(callee->cells > FEW_CELLS) && !(cells = malloc(callee->cells * sizeof *cells))) {
        cells = few;
        result = PyErr_NoMemory();
        goto end;
    }
    cell = cells;
    for (i = 0; i < callee->param_count; i++)
        if (UNLIKELY(!put(callee, callee->kinds[i], args[i], &cell))) {
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
        result = failed(callee, args, count);
    else
        result = results_of(callee, cells);
end:
    if (UNLIKELY(numbers != NULL))
        wpy_pass_end(numbers);
    if (UNLIKELY(cells != few))
        free(cells);
    return result;
}

/* ---- the Callee ---- */

static int
callee_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Callee *)self)->signature);
    Py_VISIT(((Callee *)self)->owner);
    Py_VISIT(((Callee *)self)->numbers);
    return 0;
}

static int
callee_clear(PyObject *self)
{
    Py_CLEAR(((Callee *)self)->owner); /* from here on it can't be called: `numbers` may go, too */
    Py_CLEAR(((Callee *)self)->numbers);
    return 0;
}

static void
callee_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Callee *callee = (Callee *)self;

    PyObject_GC_UnTrack(self);
    wpy_let_go(callee->fn);
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
    {Py_tp_doc, "A function in C, and how to call it."},
    {0, NULL},
};

static PyType_Spec callee_spec = {
    .name = "wamr.wasm_function", /* as in <built-in method add of wamr.wasm_function object> */
    .basicsize = sizeof(Callee),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION, /* bind_export() makes them */
    .slots = callee_slots,
};

/* ---- making one ---- */

/* Of the owner's store. */
PyObject *
wpy_numbers_of(PyObject *owner)
{
    PyObject *store = PyObject_GetAttrString(owner, "store");
    PyObject *numbers = store ? PyObject_GetAttrString(store, "_objects") : NULL;

    Py_XDECREF(store);
    return numbers;
}

static void
set(PyObject **place, PyObject *value)
{
    PyObject *old = *place;

    *place = value;
    Py_XDECREF(old);
}

/* bind_export(func, address, name, signature, owner): makes func.callable call the function at the
   address, a handle that is taken over, whatever happens. */
static PyObject *
bind_export(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *func = args[0], *owner = args[4], *function;
    const char *name;
    Callee *callee;
    Py_ssize_t size;
    wpy_func *fn;
    size_t room;

    (void)module;
    if (count != 5 || !PyObject_TypeCheck(func, wpy_caller_type) ||
        !PyObject_TypeCheck(args[3], wpy_signature_type)) {
        PyErr_SetString(
            PyExc_TypeError,
            "bind_export() takes a CallableBase, an address, a name, a Signature and an owner");
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
    Py_INCREF(owner);
    callee->owner = owner;
    callee->numbers = NULL;
    callee->text = NULL;
    memset(&callee->def, 0, sizeof callee->def);
    PyObject_GC_Track((PyObject *)callee);
    if (!(name = PyUnicode_AsUTF8AndSize(args[2], &size)) ||
        (callee->signature->objects && !(callee->numbers = wpy_numbers_of(owner)))) {
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
    wpy_caller_bind(func, function, (PyObject *)callee, fn, owner);
    Py_RETURN_NONE;
}

/* set_call(SlowCall, raise_call_error, Trap) */
static PyObject *
set_call(PyObject *module, PyObject *args)
{
    PyObject *class, *function, *trap;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOO:set_call", &class, &function, &trap))
        return NULL;
    Py_INCREF(class);
    set(&call_class, class);
    Py_INCREF(function);
    set(&call_failed, function);
    Py_INCREF(trap);
    set(&trap_class, trap);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"bind_export", (PyCFunction)(void (*)(void))bind_export, METH_FASTCALL,
     "Let a CallableBase call a function in C."},
    {"set_call", set_call, METH_VARARGS,
     "Name those whom calls are left to that are not plain, or fail, and Trap."},
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
