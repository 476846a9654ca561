/* refcounts.h: reference counts that don't depend on the headers that compile us.
 *
 * The macros of the limited API are compiled into the module, and each CPython has its own: since
 * 3.12 they leave the counts of immortal objects alone, and Py_RETURN_NONE of 3.12.1 and 3.13.0
 * does not count at all, which 3.10 and 3.11 would pay for with a count that falls to zero. A wheel
 * for 3.10 and later must count as 3.10 does. These are the definitions of 3.10, so that the same
 * bytes come out whichever CPython builds the wheel. Objects that later versions call immortal stay
 * alive when they are counted this way: CPython allows it for modules that were built with older
 * headers.
 *
 * setup.py makes the compiler include this file first, so that the functions of cffi's own header
 * count this way, too. It changes nothing for PyPy, for free-threaded builds, or for builds of
 * CPython that check reference counts: those don't share a binary.
 */
#ifndef WPY_REFCOUNTS_H
#define WPY_REFCOUNTS_H

#include <Python.h>

#if defined(Py_LIMITED_API) && !defined(PYPY_VERSION) && !defined(Py_GIL_DISABLED) && \
    !defined(Py_REF_DEBUG)

/* The count, a Py_ssize_t, is the first member of each object in every version. */
static inline void
wpy_incref(PyObject *object)
{
    ++*(Py_ssize_t *)object;
}

static inline void
wpy_decref(PyObject *object)
{
    if (--*(Py_ssize_t *)object == 0)
        _Py_Dealloc(object);
}

static inline Py_ssize_t
wpy_refcount(PyObject *object)
{
    return *(Py_ssize_t *)object;
}

static inline PyObject *
wpy_new_ref(PyObject *object)
{
    wpy_incref(object);
    return object;
}

static inline void
wpy_xincref(PyObject *object)
{
    if (object)
        wpy_incref(object);
}

static inline void
wpy_xdecref(PyObject *object)
{
    if (object)
        wpy_decref(object);
}

#undef Py_REFCNT
#undef Py_INCREF
#undef Py_DECREF
#undef Py_XINCREF
#undef Py_XDECREF
#undef Py_NewRef
#undef Py_XNewRef
#undef Py_CLEAR
#undef Py_RETURN_NONE
#undef Py_RETURN_TRUE
#undef Py_RETURN_FALSE
#undef Py_RETURN_NOTIMPLEMENTED

#define Py_REFCNT(object) wpy_refcount((PyObject *)(object))
#define Py_INCREF(object) wpy_incref((PyObject *)(object))
#define Py_DECREF(object) wpy_decref((PyObject *)(object))
#define Py_XINCREF(object) wpy_xincref((PyObject *)(object))
#define Py_XDECREF(object) wpy_xdecref((PyObject *)(object))
#define Py_NewRef(object) wpy_new_ref((PyObject *)(object))
#define Py_XNewRef(object) (Py_XINCREF(object), (PyObject *)(object))
#define Py_CLEAR(place)                              \
    do {                                             \
        PyObject *wpy_cleared = (PyObject *)(place); \
        if (wpy_cleared) {                           \
            (place) = NULL;                          \
            Py_DECREF(wpy_cleared);                  \
        }                                            \
    } while (0)
#define Py_RETURN_NONE return Py_NewRef(Py_None)
#define Py_RETURN_TRUE return Py_NewRef(Py_True)
#define Py_RETURN_FALSE return Py_NewRef(Py_False)
#define Py_RETURN_NOTIMPLEMENTED return Py_NewRef(Py_NotImplemented)

#endif
#endif
