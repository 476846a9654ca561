/* callable_base.c: the base of wamr.Func, which makes calls as fast as those of a builtin function.
 *
 * A call of a `CallableBase` calls its member `callable` directly, without a method of Python in
 * between. The CallableBase also knows its function in C, so that storing it into a table or a
 * global needs no Python code (reference_slot.c).
 *
 * A CallableBase is bound to one function, once. So its function, and what keeps that, never change
 * while others may use the object.
 *
 * A CallableBase may be registered for its function (`refer`). Whoever reads a reference to the
 * function then gets this same object, as long as it lives. The function's pointer to the object is
 * borrowed; the object removes that pointer when it is cleared. On free-threaded builds, where the
 * object may end in another thread at any time, the function points to a weak reference instead,
 * which the object owns, and `registered_lock` guards those pointers of all functions.
 */
#include "cpython/callable_base.h"
#include "cpython/locks.h"
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
#ifdef Py_GIL_DISABLED
    PyObject *weak; /* a weak reference to this object, owned; NULL where it is not registered */
#endif
} CallableBase;

PyTypeObject *wpy_callable_base_type;

static bool
is_callable_base(PyObject *value)
{
    return PyObject_TypeCheck(value, wpy_callable_base_type);
}

/* ---- the Python object of a function in C ---- */

#ifndef Py_GIL_DISABLED

static void
unregister(CallableBase *self, wpy_func *fn)
{
    if (wpy_func_object(fn) == self)
        wpy_func_set_object(fn, NULL);
}

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

/* Registers `self` for its function `fn`, unless another object is registered. Returns the one that
 * is: a new reference, or NULL with an exception. */
static PyObject *
registered_object(CallableBase *self, wpy_func *fn)
{
    PyObject *object = wpy_func_object(fn);

    if (!object || !Py_REFCNT(object)) {
        wpy_func_set_object(fn, self);
        self->registered = true;
        object = (PyObject *)self;
    }
    Py_INCREF(object);
    return object;
}

#else

static PyMutex registered_lock;

/* The object of a weak reference, which may be NULL. A new reference, or NULL. */
static PyObject *
strong(PyObject *weak)
{
    PyObject *object = NULL;

    if (weak)
        PyWeakref_GetRef(weak, &object);
    return object;
}

static void
unregister(CallableBase *self, wpy_func *fn)
{
    LOCK(&registered_lock);
    if (wpy_func_object(fn) == self->weak)
        wpy_func_set_object(fn, NULL);
    UNLOCK(&registered_lock);
    Py_CLEAR(self->weak);
}

PyObject *
wpy_callable_of_reference(uint32_t ref)
{
    const wpy_func *fn = wpy_ref_func(ref);
    PyObject *weak, *object;

    if (!fn)
        return NULL;
    LOCK(&registered_lock);
    weak = wpy_func_object(fn);
    Py_XINCREF(weak);
    UNLOCK(&registered_lock);
    object = strong(weak);
    Py_XDECREF(weak);
    return object;
}

static PyObject *
registered_object(CallableBase *self, wpy_func *fn)
{
    PyObject *mine = PyWeakref_NewRef((PyObject *)self, NULL), *weak = NULL, *object = NULL, *ended;

    if (!mine)
        return NULL;
    do {
        ended = weak; /* the reference to an object that has ended, held so that no other has its
                         address; NULL at first */
        LOCK(&registered_lock);
        if (wpy_func_object(fn) == ended) {
            if (!self->weak)
                self->weak = Py_NewRef(mine);
            self->registered = true;
            wpy_func_set_object(fn, self->weak);
        }
        weak = wpy_func_object(fn);
        Py_XINCREF(weak);
        UNLOCK(&registered_lock);
        Py_XDECREF(ended);
        object = strong(weak);
    } while (!object);
    Py_DECREF(weak);
    Py_DECREF(mine);
    return object;
}

#endif

/* ---- the function ---- */

/* Forgets the function. Nobody else uses the object: it is being cleared. */
static void
unbind(CallableBase *self)
{
    wpy_func *fn = self->fn;

    self->fn = NULL;
    if (fn && self->registered)
        unregister(self, fn);
    self->registered = false;
    if (fn && !self->callee)
        wpy_release_handle(fn);
}

/* Sets `fn`, and `callee`, taking over the reference to it. False where the object stands for a
 * function already. */
static bool
set_function(CallableBase *self, wpy_func *fn, PyObject *callee)
{
    bool unbound;

    LOCK_OBJECT((PyObject *)self);
    if ((unbound = !self->fn)) {
        self->fn = fn;
        self->callee = callee;
    }
    UNLOCK_OBJECT();
    if (!unbound)
        PyErr_Format(PyExc_RuntimeError, "this %R has a function already", Py_TYPE(self));
    return unbound;
}

/* Replaces a member, taking over the reference to `value`. */
static void
set_member(CallableBase *self, PyObject **member, PyObject *value)
{
    PyObject *old;

    (void)self;
    LOCK_OBJECT((PyObject *)self);
    old = *member;
    *member = value;
    UNLOCK_OBJECT();
    Py_XDECREF(old);
}

int
wpy_callable_bind(PyObject *value, PyObject *callable, PyObject *callee, wpy_func *fn,
                  PyObject *lifetime)
{
    CallableBase *self = (CallableBase *)value;

    if (!set_function(self, fn, callee)) {
        Py_DECREF(callable);
        Py_DECREF(callee);
        return -1;
    }
    Py_INCREF(lifetime);
    set_member(self, &self->lifetime, lifetime);
    set_member(self, &self->callable, callable);
    return 0;
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
    wpy_retain(fn);
    if (!set_function(self, fn, NULL)) {
        wpy_release_handle(fn);
        return NULL;
    }
    Py_RETURN_NONE;
}

wpy_func *
wpy_callable_func(PyObject *value, PyObject **lifetime)
{
    CallableBase *self = (CallableBase *)value;
    wpy_func *fn = NULL;

    if (!is_callable_base(value))
        return NULL;
    LOCK_OBJECT(value);
    if (LIKELY(self->lifetime)) {
        *lifetime = self->lifetime;
        SHARED_INCREF(*lifetime);
        fn = self->fn;
    }
    UNLOCK_OBJECT();
    return fn;
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

/* refer(func): registers a CallableBase for its function, unless another one is registered. Returns
 * the one that is. */
static PyObject *
refer(PyObject *module, PyObject *value)
{
    CallableBase *self = (CallableBase *)value;
    PyObject *lifetime = NULL;
    wpy_func *fn;

    (void)module;
    if (!is_callable_base(value)) {
        PyErr_SetString(PyExc_TypeError, "refer() takes a CallableBase");
        return NULL;
    }
    fn = wpy_callable_func(value, &lifetime);
    SHARED_DECREF(lifetime);
    if (fn)
        return registered_object(self, fn);
    Py_INCREF(value);
    return value;
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
    PyObject *callable, *result;

    LOCK_OBJECT(self);
    callable = ((CallableBase *)self)->callable;
    Py_XINCREF(callable); /* the call may set another `callable` */
    UNLOCK_OBJECT();
    if (!callable) {
        PyErr_Format(PyExc_AttributeError, "this %R was not made by its __init__", Py_TYPE(self));
        return NULL;
    }
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
    {"refer", refer, METH_O,
     "Register a CallableBase for its function; return the one that is registered."},
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
