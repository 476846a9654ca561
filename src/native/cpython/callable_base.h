/* callable_base.h: what the rest of this folder needs of callable_base.c. */
#ifndef WPY_CALLER_H
#define WPY_CALLER_H

#include "cpython/cpython.h"

extern PyTypeObject *wpy_caller_type;

/* Lets a CallableBase call `callable`, and be the function of `callee`, which has a handle on `fn`.
   Takes over the references to these two; `owner` is borrowed. */
void wpy_caller_bind(PyObject *caller, PyObject *callable, PyObject *callee, wpy_func *fn,
                     PyObject *owner);
/* The function in C of a CallableBase, and its owner, both borrowed; NULL: it is no CallableBase,
 * or has none.
 */
wpy_func *wpy_caller_function(PyObject *value, PyObject **owner);
/* The CallableBase that stands for the function of this number (see `refer`), a new reference;
   NULL: there is none, no exception is set. The number must be one that rests where the caller has
   a handle. */
PyObject *wpy_caller_known(uint32_t ref);

#endif
