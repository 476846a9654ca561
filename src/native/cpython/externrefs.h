/* externrefs.h: what a call needs of externrefs.c. */
#ifndef WPY_NUMBERS_H
#define WPY_NUMBERS_H

#include "cpython/cpython.h"

#define WPY_NO_OBJECT UINT32_MAX /* the null reference */

/* Between the two this thread may have numbers that wasm has not yet, or no longer: nothing is let
 * go. False: it is time to look which objects are needed still, or nothing may be passed; no
 * exception is set. `numbers` is borrowed. */
bool wpy_pass_begin(PyObject *numbers);
void wpy_pass_end(PyObject *numbers);

/* Whether there are so many that it is time to look which are needed still. */
bool wpy_crowded(PyObject *numbers);

/* The number of an object, which is held from now on; false: not one that is passed as it is, no
 * exception is set. */
bool wpy_number_of(PyObject *numbers, PyObject *value, uint32_t *number);
/* A new reference to the object; NULL with an exception: nobody has that number. */
PyObject *wpy_object_of(PyObject *numbers, uint32_t number);

#endif
