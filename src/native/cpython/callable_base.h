/* callable_base.h: CallableBase, for the other types of this folder. */
#ifndef WPY_CALLABLE_BASE_H
#define WPY_CALLABLE_BASE_H

#include "cpython/cpython.h"

extern PyTypeObject *wpy_callable_base_type;

/* Makes a CallableBase call `callable` and stand for the wasm function `fn`, on which `callee` has
 * a handle. Takes over the references to `callable` and `callee`, also where there is an exception;
 * `lifetime` is borrowed. 0, or -1 with an exception: it stands for a function already. */
int wpy_callable_bind(PyObject *self, PyObject *callable, PyObject *callee, wpy_func *fn,
                      PyObject *lifetime);

/* The function that `value` stands for, borrowed. *lifetime, which the caller has set to NULL, is
 * its Lifetime, to be given back with SHARED_DECREF. NULL where `value` is not a CallableBase or
 * stands for no function. No exception is set. */
wpy_func *wpy_callable_func(PyObject *value, PyObject **lifetime);

/* The CallableBase that was registered for the function of a reference (see `refer`). A new
 * reference; NULL where there is none, no exception is set. The caller must have a handle on
 * something of the group that the reference comes from. */
PyObject *wpy_callable_of_reference(uint32_t ref);

#endif
