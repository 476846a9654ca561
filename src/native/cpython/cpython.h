/* cpython.h: what the files of this folder share: extension types on CPython's own C API.
 *
 * Python reaches most of our C through cffi. Some operations run so often that cffi's overhead
 * would cost more than the operation itself: calls into wasm (function.c) and out of wasm
 * (callbacks.c), access to a few bytes of a memory (memory.c), to an element of a table (table.c)
 * and to the value of a global (global.c). These use the C API directly. Like the rest of the
 * extension module they keep to the limited API of Python 3.10. Other implementations (PyPy) use
 * src/wamr/_backend/portable.py instead.
 *
 * The code here must not include WAMR's headers, and no C outside of this folder may use Python's.
 *
 * All functions of this folder need the GIL, unless their comment says otherwise.
 */
#ifndef WPY_CPYTHON_H
#define WPY_CPYTHON_H

/* No format passed to PyArg_ParseTuple or Py_BuildValue may contain `#`. Compiled with the headers
 * of 3.13, which no longer require PY_SSIZE_T_CLEAN, such a format would fail on 3.12 and earlier.
 */
#include "cpython/refcounts.h"
#include <structmember.h>

#include "compiler.h"
#include "include/wpy.h"
#include "include/entry.h"

/* ---- initialisation ---- */

/* init.c: adds all types and functions of this folder to the module. 0, or -1 with an exception.
 */
int wpy_add_types(PyObject *module);
/* The same for one file each. */
int wpy_add_signature(PyObject *module);
int wpy_add_callable_base(PyObject *module);
int wpy_add_function(PyObject *module);
int wpy_add_memory(PyObject *module);
int wpy_add_callbacks(PyObject *module);
int wpy_add_kept_exceptions(PyObject *module);
int wpy_add_externrefs(PyObject *module);
int wpy_add_passing_refs(PyObject *module);
int wpy_add_reference_slot(PyObject *module);
int wpy_add_table(PyObject *module);
int wpy_add_global(PyObject *module);
int wpy_add_describe(PyObject *module);
int wpy_add_interpreter(PyObject *module);

/* Makes a type of the spec and adds it to the module under the last part of the spec's name.
 * Returns a borrowed reference, which the module keeps alive; NULL with an exception. */
PyTypeObject *wpy_add_type(PyObject *module, PyType_Spec *spec);

/* ---- types ---- */

/* The spec of the type `base`, from which a class of src/wamr is derived. `base` names the struct,
 * and `slots` is the type's array of slots. */
#define WPY_BASE_SPEC(base, slots_)                                             \
    {                                                                           \
        .name = "wamr._wamr." #base,                                            \
        .basicsize = sizeof(base),                                              \
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, \
        .slots = slots_,                                                        \
    }

/* The body of tp_dealloc of such a type. `clear` drops all that the object holds. */
static inline void
wpy_dealloc(PyObject *self, inquiry clear)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    clear(self);
    free_object(self);
    Py_DECREF(type); /* a heap type: each object holds a reference to its type */
}

/* ---- helpers ---- */

/* Py_XSETREF, which the limited API lacks: replaces a reference, taking over that to `value`. */
static inline void
wpy_xsetref(PyObject **target, PyObject *value)
{
    PyObject *old = *target;

    *target = value;
    Py_XDECREF(old);
}

/* The value of an int between 0 and `max`; -1 for anything else. No exception is set. */
static inline long long
wpy_natural(PyObject *value, long long max)
{
    int overflow;
    long long number;

    if (UNLIKELY(!PyLong_Check(value)))
        return -1;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    return UNLIKELY(overflow || number < 0 || number > max) ? -1 : number;
}

/* A new tuple of `count` objects; NULL with an exception. */
PyObject *wpy_tuple(PyObject *const *args, Py_ssize_t count);

/* Calls the method `name` of `self` with the arguments of a METH_FASTCALL | METH_KEYWORDS call.
 * A new reference, or NULL with an exception. */
PyObject *wpy_call_method(PyObject *self, PyObject *name, PyObject *const *args, Py_ssize_t count,
                          PyObject *keyword_names);

/* wpy_release() for a caller with the GIL: gives the caller's handle back. Where that frees a whole
 * group, which may take a while, the GIL is released meanwhile. */
void wpy_release_handle(void *object);

/* interpreter.c: 0, or -1 with an ImportError in a sub-interpreter. */
int wpy_check_interpreter(void);

/* ---- kept_exceptions.c ---- */

/* Takes the current exception: a reference, or NULL where there is no memory for the object. If
 * none is set, this is a SystemError. */
PyObject *wpy_fetch_exception(void);
/* Keeps an exception, taking over the reference, and returns its number; WPY_EXCEPTION_LOST of
 * NULL.
 */
int wpy_keep_exception(PyObject *error);
/* The same for the exception of a host function, which wasm code may catch. Called last, since the
 * next host function that fails in this thread throws as well. */
int wpy_keep_thrown(PyObject *error);
/* Drops the exception that is kept under the number, as wpy_host_forget says. */
bool wpy_forget_exception(int number);
/* Takes the exception that is kept in this thread under `number`, unless it is an instance of
 * `class`. A new reference; NULL, without an exception, where there is none. */
PyObject *wpy_take_raised_unless(PyObject *class, int number);

#endif
