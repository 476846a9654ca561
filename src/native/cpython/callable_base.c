/* callable_base.c: the base of wamr.Func, which makes calls as fast as those of a builtin function.
 *
 * A call of a `CallableBase` calls its member `callable` directly, without a method of Python in
 * between. The CallableBase also knows its function in C, so that storing it into a table or a
 * global needs no Python code (reference_slot.c).
 *
 * A CallableBase may be registered for its function (`refer`). Whoever reads a reference to the
 * function then gets this same object, as long as it lives. The function's pointer to the object is
 * borrowed; the object removes that pointer when it is cleared.
 */
#include "cpython/callable_base.h"
#include "include/now.h"
#include "cpython/externrefs.h"

#include <stddef.h>

typedef struct {
    PyObject_HEAD
    PyObject *callable;
    PyObject *lifetime;
    PyObject *callee; /* for a function of an instance: the object with the handle on `fn` */
    wpy_func *fn;     /* NULL where there is none yet, or this was cleared. Without `callee`, the
                         handle on it is ours */
    bool registered;  /* for `fn` */
} CallableBase;

PyTypeObject *wpy_callable_base_type;

static bool
is_callable_base(PyObject *value)
{
    return PyObject_TypeCheck(value, wpy_callable_base_type);
}

/* ---- the function ---- */

static void
unbind(CallableBase *self)
{
    wpy_func *fn = self->fn;

    self->fn = NULL;
    if (self->registered && fn && wpy_func_object(fn) == self)
        wpy_func_set_object(fn, NULL);
    self->registered = false;
    if (fn && !self->callee)
        wpy_release_handle(fn);
}

void
wpy_callable_bind(PyObject *value, PyObject *callable, PyObject *callee, wpy_func *fn,
                  PyObject *lifetime)
{
    CallableBase *self = (CallableBase *)value;

    if (self->fn)
        unbind(self);
    Py_INCREF(lifetime);
    wpy_xsetref(&self->lifetime, lifetime);
    wpy_xsetref(&self->callable, callable);
    wpy_xsetref(&self->callee, callee);
    self->fn = fn;
}

/* _of_host(address): binds to the host function at the address. The caller keeps its handle; this
 * object counts another one. */
static PyObject *
of_host(PyObject *value, PyObject *address)
{
    CallableBase *self = (CallableBase *)value;
    wpy_func *fn = (wpy_func *)(uintptr_t)PyLong_AsUnsignedLongLong(address);

    if (PyErr_Occurred())
        return NULL;
    unbind(self);
    Py_CLEAR(self->callee);
    wpy_retain(fn);
    self->fn = fn;
    Py_RETURN_NONE;
}

wpy_func *
wpy_callable_func(PyObject *value, PyObject **lifetime)
{
    CallableBase *self = (CallableBase *)value;

    if (!is_callable_base(value) || !self->lifetime)
        return NULL;
    *lifetime = self->lifetime;
    return self->fn;
}

/* _address: the address of an instance's function, valid as long as this object is held. */
static PyObject *
get_address(PyObject *value, void *closure)
{
    const CallableBase *self = (const CallableBase *)value;

    (void)closure;
    if (!self->callee || !self->fn) {
        PyErr_Format(PyExc_ReferenceError, "this %R has no function in C", Py_TYPE(value));
        return NULL;
    }
    return PyLong_FromUnsignedLongLong((unsigned long long)(uintptr_t)self->fn);
}

/* ---- references to the function ---- */

PyObject *
wpy_callable_of_reference(uint32_t ref)
{
    PyObject *value = wpy_ref_object(ref);

    /* Without references it is being deallocated, and what that runs may come here. */
    if (!value || !Py_REFCNT(value))
        return NULL;
    Py_INCREF(value);
    return value;
}

/* refer(func): registers a CallableBase for its function, unless another one is registered. */
static PyObject *
refer(PyObject *module, PyObject *value)
{
    CallableBase *self = (CallableBase *)value;
    PyObject *other;

    (void)module;
    if (!is_callable_base(value)) {
        PyErr_SetString(PyExc_TypeError, "refer() takes a CallableBase");
        return NULL;
    }
    if (self->fn && (!(other = wpy_func_object(self->fn)) || !Py_REFCNT(other))) {
        wpy_func_set_object(self->fn, self);
        self->registered = true;
    }
    Py_RETURN_NONE;
}

/* known(ref): the CallableBase that is registered for the function of a reference, or None. */
static PyObject *
known(PyObject *module, PyObject *number)
{
    unsigned long ref = PyLong_AsUnsignedLong(number);
    PyObject *value;

    (void)module;
    if (PyErr_Occurred())
        return NULL;
    if (ref < WPY_NULL_REFERENCE && (value = wpy_callable_of_reference((uint32_t)ref)))
        return value;
    Py_RETURN_NONE;
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
    Py_INCREF(callable); /* the call may bind this object to another function */
    result = PyObject_Call(callable, args, kwargs);
    Py_DECREF(callable);
    return result;
}

static int
traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((CallableBase *)self)->callable);
    Py_VISIT(((CallableBase *)self)->lifetime);
    Py_VISIT(((CallableBase *)self)->callee);
    return 0;
}

static int
clear(PyObject *self)
{
    unbind((CallableBase *)self);
    Py_CLEAR(((CallableBase *)self)->callable);
    Py_CLEAR(((CallableBase *)self)->callee);
    Py_CLEAR(((CallableBase *)self)->lifetime);
    return 0;
}

static void
dealloc(PyObject *self)
{
    wpy_dealloc(self, clear);
}

static PyMemberDef members[] = {
    {"callable", T_OBJECT_EX, offsetof(CallableBase, callable), 0,
     "The same call as a plain function: the fastest way in."},
    {"_lifetime", T_OBJECT_EX, offsetof(CallableBase, lifetime), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"_address", get_address, NULL, "The address of the function in C.", NULL},
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
    {Py_tp_doc, "An object whose calls go to its `callable`."},
    {0, NULL},
};

static PyType_Spec spec = WPY_BASE_SPEC(CallableBase, slots);

static PyMethodDef functions[] = {
    {"refer", refer, METH_O, "Register a CallableBase for its function."},
    {"known", known, METH_O,
     "Return the CallableBase that is registered for the function of a reference, or None."},
    {NULL, NULL, 0, NULL},
};

int
wpy_add_callable_base(PyObject *module)
{
    return (wpy_callable_base_type = wpy_add_type(module, &spec))
               ? PyModule_AddFunctions(module, functions)
               : -1;
}
