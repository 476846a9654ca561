/* cpython.h: the types of the extension module that are made with CPython's own C API.
 *
 * cffi is the way between Python and our C everywhere but on the paths that are gone millions of
 * times: a call into wasm (function.c) and out of it (callbacks.c), a few bytes of memory
 * (memory.c), an element of a table (table.c), the value of a global (global.c). There a call
 * through cffi costs more than what it does. They keep to the limited API of 3.10, like all of the
 * module; where they are not (PyPy), Python does the same more slowly
 * (src/wamr/_backend/portable.py). Nothing here knows WAMR, and the rest of our C knows nothing of
 * Python.
 */
#ifndef WPY_CPYTHON_H
#define WPY_CPYTHON_H

/* No format has a `#`: compiled with the headers of 3.13, in which these are plain, it fails
 * on 3.12 and before, where they need a macro of those headers. */
#include <Python.h>
#include <structmember.h>

#include "include/compiler.h"
#include "include/wpy.h"
#include "include/entry.h"

/* Each adds what it has to the module; -1 with an exception. */
int wpy_add_signature(PyObject *module);
int wpy_add_caller(PyObject *module);
int wpy_add_function(PyObject *module);
int wpy_add_window(PyObject *module);
int wpy_add_callback(PyObject *module);
int wpy_add_numbers(PyObject *module);
int wpy_add_place(PyObject *module);
int wpy_add_elements(PyObject *module);
int wpy_add_cell(PyObject *module);
int wpy_add_described(PyObject *module);
int wpy_add_interpreter(PyObject *module);

/* -1, with an ImportError: this is not the main interpreter. */
int wpy_check_interpreter(void);

/* The exception of a host function that waits in this thread, taken; NULL: there is none, or it is
 * of this class. */
PyObject *wpy_take_raised_but(PyObject *class, int number);

/* Gives a handle back; if that takes a while, without the GIL. */
void wpy_let_go(void *object);

/* Of an owner's store, those of its externrefs: a new reference, or NULL with an exception. */
PyObject *wpy_numbers_of(PyObject *owner);

PyTypeObject *wpy_added(PyObject *module, const char *name, PyType_Spec *spec);

#endif
