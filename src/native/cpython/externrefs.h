/* externrefs.h: what a call needs of externrefs.c. */
#ifndef WPY_NUMBERS_H
#define WPY_NUMBERS_H

#include "cpython/cpython.h"

#define WPY_NO_OBJECT UINT32_MAX /* the null reference */

/* While one exists, this thread may have numbers that wasm has not yet, or no longer: nothing is
 * let go. */
typedef struct wpy_passing {
    struct wpy_passing *prev;
    PyObject *numbers; /* borrowed */
    bool aside; /* it does not count: a host function runs, and what was passed is on the wasm stack
                 */
} wpy_passing;

/* False: it is time to look which objects are needed still, or nothing may be passed; no exception
 * is set. */
bool wpy_pass_begin(PyObject *numbers, wpy_passing *passing);
void wpy_pass_end(wpy_passing *passing);

/* Whether there are so many that it is time to look which are needed still. */
bool wpy_crowded(PyObject *numbers);

/* The number of an object, which is held from now on; false: not one that is passed as it is, no
 * exception is set. */
bool wpy_number_of(PyObject *numbers, PyObject *value, uint32_t *number);
/* A new reference to the object; NULL with an exception: nobody has that number. */
PyObject *wpy_object_of(PyObject *numbers, uint32_t number);

#endif
