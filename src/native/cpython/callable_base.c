/* callable_base.c: the base of wamr.Func, which is called as fast as what it is for.
 *
 * Calling a `CallableBase` calls its member `callable`, with nothing of Python in between. It also
 * knows its function in C, so that it comes into a table or a global without a way through Python
 * (reference_slot.c), and it may stand for the function when a reference to that comes out
 * (`refer`): our C then has a pointer to it, which borrows, and which the CallableBase takes out as
 * it goes. So a reference that comes out twice is the same Func, as long as somebody has that.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/externrefs.h"

#include <stddef.h>

typedef struct {
    PyObject_HEAD PyObject *callable;
    PyObject *owner;
    PyObject
        *callee;  /* of a function of an instance: has a handle on `fn`; NULL: the handle is ours */
    wpy_func *fn; /* NULL: none yet, or cleared */
    bool refers;  /* it stands for `fn` */
} CallableBase;

PyTypeObject *wpy_caller_type;

static bool
is_caller(PyObject *value)
{
    return PyObject_TypeCheck(value, wpy_caller_type);
}

static void
set(PyObject **place, PyObject *value)
{
    PyObject *old = *place;

    *place = value;
    Py_XDECREF(old);
}

/* ---- its function ---- */

static void
forget(CallableBase *caller)
{
    wpy_func *fn = caller->fn;

    caller->fn = NULL;
    if (caller->refers && fn && wpy_func_object(fn) == caller)
        wpy_func_set_object(fn, NULL);
    caller->refers = false;
    if (fn && !caller->callee)
        wpy_let_go(fn);
}

void
wpy_caller_bind(PyObject *self, PyObject *callable, PyObject *callee, wpy_func *fn, PyObject *owner)
{
    CallableBase *caller = (CallableBase *)self;

    if (caller->fn)
        forget(caller);
    Py_INCREF(owner);
    set(&caller->owner, owner);
    set(&caller->callable, callable);
    set(&caller->callee, callee);
    caller->fn = fn;
}

/* _of_host(address): its function is the host function at the address, a handle that stays its
 * caller's. */
static PyObject *
of_host(PyObject *self, PyObject *value)
{
    CallableBase *caller = (CallableBase *)self;
    wpy_func *fn = (wpy_func *)(uintptr_t)PyLong_AsUnsignedLongLong(value);

    if (PyErr_Occurred())
        return NULL;
    forget(caller);
    Py_CLEAR(caller->callee);
    wpy_retain(fn);
    caller->fn = fn;
    Py_RETURN_NONE;
}

wpy_func *
wpy_caller_function(PyObject *value, PyObject **owner)
{
    CallableBase *caller = (CallableBase *)value;

    if (!is_caller(value) || !caller->owner)
        return NULL;
    *owner = caller->owner;
    return caller->fn;
}

PyObject *
wpy_caller_known(uint32_t ref)
{
    PyObject *caller = wpy_ref_object(ref);

    if (!caller || !Py_REFCNT(caller)) /* on its way out: what goes with it may run code */
        return NULL;
    Py_INCREF(caller);
    return caller;
}

/* refer(caller): as long as it lives it stands for its function, unless another one does. */
static PyObject *
refer(PyObject *module, PyObject *value)
{
    CallableBase *caller = (CallableBase *)value;
    PyObject *other;

    (void)module;
    if (!is_caller(value)) {
        PyErr_SetString(PyExc_TypeError, "refer() takes a CallableBase");
        return NULL;
    }
    if (caller->fn && (!(other = wpy_func_object(caller->fn)) || !Py_REFCNT(other))) {
        wpy_func_set_object(caller->fn, caller);
        caller->refers = true;
    }
    Py_RETURN_NONE;
}

/* known(number): the CallableBase that stands for the function of this number, or None. */
static PyObject *
known(PyObject *module, PyObject *value)
{
    unsigned long ref = PyLong_AsUnsignedLong(value);
    PyObject *caller;

    (void)module;
    if (PyErr_Occurred())
        return NULL;
    if (ref < WPY_NO_OBJECT && (caller = wpy_caller_known((uint32_t)ref)))
        return caller;
    Py_RETURN_NONE;
}

/* The function in C of an instance's function, as long as the Func is held. */
static PyObject *
address_of(PyObject *self, void *closure)
{
    const CallableBase *caller = (const CallableBase *)self;

    (void)closure;
    if (!caller->callee || !caller->fn) {
        PyErr_Format(PyExc_ReferenceError, "this %R has no function in C", Py_TYPE(self));
        return NULL;
    }
    return PyLong_FromUnsignedLongLong((unsigned long long)(uintptr_t)caller->fn);
}

/* ---- the type ---- */

static PyObject *
call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *callable = ((CallableBase *)self)->callable, *result;

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
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((CallableBase *)self)->callable);
    Py_VISIT(((CallableBase *)self)->owner);
    Py_VISIT(((CallableBase *)self)->callee);
    return 0;
}

static int
clear(PyObject *self)
{
    forget((CallableBase *)self);
    Py_CLEAR(((CallableBase *)self)->callable);
    Py_CLEAR(((CallableBase *)self)->callee);
    Py_CLEAR(((CallableBase *)self)->owner);
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

static PyMemberDef members[] = {
    {"callable", T_OBJECT_EX, offsetof(CallableBase, callable), 0,
     "The same call as a plain function: the fastest way in."},
    {"_lifetime", T_OBJECT_EX, offsetof(CallableBase, owner), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"_address", address_of, NULL, "Where its function is in C.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"_of_host", of_host, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_call, call},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {Py_tp_doc, "What calls its `callable`."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "wamr._wamr.CallableBase",
    .basicsize = sizeof(CallableBase),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyMethodDef functions[] = {
    {"refer", refer, METH_O,
     "Let a CallableBase stand for its function when a reference to that comes out."},
    {"known", known, METH_O,
     "Return the CallableBase that stands for the function of this number, or None."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_caller(PyObject *module)
{
    return (wpy_caller_type = wpy_added(module, "CallableBase", &spec))
               ? PyModule_AddFunctions(module, functions)
               : -1;
}
