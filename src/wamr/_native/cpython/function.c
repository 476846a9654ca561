/* function.c: a function of wasm as a function of CPython.
 *
 * `function(…)` makes a builtin function whose `self` is a Callee: the function in C, and the kinds of its parameters and
 * results. A call converts its arguments into the cells of WAMR, calls, and converts the results, all here. What it does
 * not know at once, an argument of a class that it does not expect, one out of range, a reference, goes to the method
 * `general` of the Callee's `call` (src/wamr/calls.py), and what went wrong to `failed`: they know how to do it and what
 * to say.
 *
 * A function that is sure to end soon (wpy_func_bounded) is called with the GIL held: giving it up and taking it again
 * would cost more than the function, and beside a busy thread much more. `Caller` is the base of wamr.Func: calling it
 * calls its member `callable`, with nothing of Python in between.
 */
#include "numbers.h"
#include "values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Cells that need no block of their own. */
#define FEW_CELLS 64

typedef struct {
    PyObject_HEAD
    wpy_func *fn;    /* lives as long as `call` */
    PyObject *call;  /* NULL: cleared by the collector */
    PyObject *numbers; /* of the store's externrefs; NULL: there are none in the type */
    PyMethodDef def; /* what the builtin function is made from */
    char *text;      /* its name and docstring, and the kinds */
    const uint8_t *kinds, *results;
    uint32_t param_count, result_count, cells;
    bool direct; /* no function references: those are Python's business */
#ifndef Py_GIL_DISABLED
    bool bounded;
#endif
} Callee;

static PyTypeObject *callee_type;
static PyObject *name_general;

/* One argument, or an externref. */
static inline bool
put(const Callee *callee, uint8_t kind, PyObject *value, uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF) ? wpy_number_of(callee->numbers, value, (*cell)++) : wpy_put(kind, value, cell);
}

static inline PyObject *
get(const Callee *callee, uint8_t kind, const uint32_t **cell)
{
    return UNLIKELY(kind == EXTERNREF) ? wpy_object_of(callee->numbers, *(*cell)++) : wpy_get(kind, cell);
}

static PyObject *
results_of(const Callee *callee, const uint32_t *cell)
{
    PyObject *tuple;
    uint32_t i;

    if (callee->result_count == 1)
        return get(callee, callee->results[0], &cell);
    if (!callee->result_count)
        Py_RETURN_NONE;
    if (!(tuple = PyTuple_New(callee->result_count)))
        return NULL;
    for (i = 0; i < callee->result_count; i++) {
        PyObject *value = get(callee, callee->results[i], &cell);
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
general(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    PyObject *tuple, *result;

    if (!callee->call) {
        PyErr_SetString(PyExc_ReferenceError, "this function is being collected");
        return NULL;
    }
    if (!(tuple = tuple_of(args, count)))
        return NULL;
    result = PyObject_CallMethodObjArgs(callee->call, name_general, tuple, NULL);
    Py_DECREF(tuple);
    return result;
}

/* The call ended with an error, whose record is this thread's. */
static PyObject *
failed(Callee *callee, PyObject *const *args, Py_ssize_t count)
{
    wpy_error error;
    PyObject *tuple, *text, *frames, *result = NULL;

    if (!wpy_take_error(callee->fn, &error)) { /* can't be: each status but WPY_BUSY has one */
        error.status = WPY_CLOSED;
        error.text[0] = 0;
        error.code = 0;
        error.frames = 0;
    }
    if (!(frames = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(error.frames * sizeof(wpy_frame)))))
        return NULL;
    if (error.frames)
        wpy_take_frames(callee->fn, (wpy_frame *)PyBytes_AsString(frames), error.frames);
    tuple = tuple_of(args, count);
    text = PyUnicode_DecodeUTF8(error.text, (Py_ssize_t)strlen(error.text), "replace");
    if (tuple && text)
        result = PyObject_CallMethod(callee->call, "failed", "OiiOO", tuple, error.status, error.code, text, frames);
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
    wpy_passing passing;
    PyObject *result;
    int status = WPY_BUSY;
    uint32_t i;

    if (UNLIKELY((size_t)count != callee->param_count || !callee->direct || !callee->call))
        return general(callee, args, count);
    if (UNLIKELY(callee->numbers != NULL) && !wpy_pass_begin(callee->numbers, &passing))
        return general(callee, args, count);
    if (UNLIKELY(callee->cells > FEW_CELLS) && !(cells = malloc(callee->cells * sizeof *cells))) {
        cells = few;
        result = PyErr_NoMemory();
        goto end;
    }
    cell = cells;
    for (i = 0; i < callee->param_count; i++)
        if (UNLIKELY(!put(callee, callee->kinds[i], args[i], &cell))) {
            result = general(callee, args, count);
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
    if (UNLIKELY(callee->numbers != NULL))
        wpy_pass_end(&passing);
    if (UNLIKELY(cells != few))
        free(cells);
    return result;
}

/* ---- the Callee ---- */

static int
callee_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Callee *)self)->call);
    Py_VISIT(((Callee *)self)->numbers);
    return 0;
}

static int
callee_clear(PyObject *self)
{
    Py_CLEAR(((Callee *)self)->call); /* from here on it can't be called: `numbers` may go, too */
    Py_CLEAR(((Callee *)self)->numbers);
    return 0;
}

static void
callee_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    callee_clear(self);
    free(((Callee *)self)->text);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot callee_slots[] = {
    { Py_tp_dealloc, callee_dealloc },
    { Py_tp_traverse, callee_traverse },
    { Py_tp_clear, callee_clear },
    { Py_tp_doc, "A function in C, and how to call it." },
    { 0, NULL },
};

static PyType_Spec callee_spec = {
    .name = "wamr.wasm_function", /* as in <built-in method add of wamr.wasm_function object> */
    .basicsize = sizeof(Callee),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = callee_slots,
};

static bool
has(uint8_t kind, const uint8_t *kinds, uint32_t count)
{
    return memchr(kinds, kind, count) != NULL;
}

/* function(address, name, doc, kinds, result kinds, cells, call, numbers) */
static PyObject *
make(PyObject *module, PyObject *args)
{
    unsigned long long address;
    const char *name, *doc, *kinds, *results;
    Py_ssize_t param_count, result_count;
    unsigned int cells;
    PyObject *outer, *numbers, *function;
    Callee *callee;
    size_t name_room, doc_room;

    (void)module;
    if (!PyArg_ParseTuple(args, "Kssy#y#IOO:function", &address, &name, &doc, &kinds, &param_count, &results,
                          &result_count, &cells, &outer, &numbers))
        return NULL;
    if (!(callee = PyObject_GC_New(Callee, callee_type)))
        return NULL;
    name_room = strlen(name) + 1;
    doc_room = name_room + strlen(doc);
    callee->fn = (wpy_func *)(uintptr_t)address;
    callee->call = callee->numbers = NULL;
    callee->text = malloc(name_room + doc_room + (size_t)(param_count + result_count));
    if (!callee->text) {
        Py_DECREF(callee);
        return PyErr_NoMemory();
    }
    memcpy(callee->text, name, name_room);
    memcpy(callee->text + name_room, name, name_room - 1);
    strcpy(callee->text + name_room + name_room - 1, doc);
    callee->kinds = (uint8_t *)callee->text + name_room + doc_room;
    callee->results = callee->kinds + param_count;
    memcpy((uint8_t *)callee->kinds, kinds, (size_t)param_count);
    memcpy((uint8_t *)callee->results, results, (size_t)result_count);
    callee->param_count = (uint32_t)param_count;
    callee->result_count = (uint32_t)result_count;
    callee->cells = cells;
    callee->direct = !has(FUNCREF, callee->kinds, (uint32_t)(param_count + result_count));
    if (has(EXTERNREF, callee->kinds, (uint32_t)(param_count + result_count))) {
        Py_INCREF(numbers);
        callee->numbers = numbers;
    }
#ifndef Py_GIL_DISABLED
    callee->bounded = wpy_func_bounded(callee->fn);
#endif
    Py_INCREF(outer);
    callee->call = outer;
    memset(&callee->def, 0, sizeof callee->def);
    callee->def.ml_name = callee->text;
    callee->def.ml_doc = callee->text + name_room;
    callee->def.ml_meth = (PyCFunction)(void (*)(void))call;
    callee->def.ml_flags = METH_FASTCALL;
    PyObject_GC_Track((PyObject *)callee);
    function = PyCFunction_NewEx(&callee->def, (PyObject *)callee, NULL);
    Py_DECREF(callee);
    return function;
}

/* ---- the base of wamr.Func ---- */

typedef struct {
    PyObject_HEAD
    PyObject *callable;
} Caller;

static PyObject *
caller_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *callable = ((Caller *)self)->callable, *result;

    if (!callable) {
        PyErr_Format(PyExc_AttributeError, "this %R was not made by its __init__", Py_TYPE(self));
        return NULL;
    }
    Py_INCREF(callable);
    result = PyObject_Call(callable, args, kwargs);
    Py_DECREF(callable);
    return result;
}

static int
caller_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Caller *)self)->callable);
    return 0;
}

static int
caller_clear(PyObject *self)
{
    Py_CLEAR(((Caller *)self)->callable);
    return 0;
}

static void
caller_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    caller_clear(self);
    release(self);
    Py_DECREF(type);
}

static PyMemberDef caller_members[] = {
    { "callable", T_OBJECT_EX, offsetof(Caller, callable), 0,
      "The same call as a plain function: the fastest way in." },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot caller_slots[] = {
    { Py_tp_call, caller_call },         { Py_tp_dealloc, caller_dealloc }, { Py_tp_traverse, caller_traverse },
    { Py_tp_clear, caller_clear },       { Py_tp_members, caller_members },
    { Py_tp_doc, "What calls its `callable`." }, { 0, NULL },
};

static PyType_Spec caller_spec = {
    .name = "wamr._wamr.Caller",
    .basicsize = sizeof(Caller),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = caller_slots,
};

static PyMethodDef functions[] = {
    { "function", make, METH_VARARGS, "Return a plain function that calls a function in C." },
    { NULL, NULL, 0, NULL },
};

int
wpy_add_function(PyObject *module)
{
    PyObject *caller = PyType_FromSpec(&caller_spec);

    if (!caller || PyModule_AddObject(module, "Caller", caller) < 0) {
        Py_XDECREF(caller);
        return -1;
    }
    if (!(callee_type = (PyTypeObject *)PyType_FromSpec(&callee_spec))
        || !(name_general = PyUnicode_InternFromString("general")))
        return -1;
    return PyModule_AddFunctions(module, functions);
}
