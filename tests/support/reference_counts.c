/* reference_counts.c: uses each macro of Python's headers that counts references.
 *
 * tests/packaging/test_reproducible.py preprocesses it, with and without cpython/refcounts.h.
 */
#include <Python.h>

PyObject *
uses(PyObject *object)
{
    Py_INCREF(object);
    Py_XINCREF(object);
    Py_DECREF(object);
    Py_XDECREF(object);
    if (Py_REFCNT(Py_NewRef(Py_XNewRef(object))))
        Py_RETURN_NONE;
    Py_CLEAR(object);
    if (object)
        Py_RETURN_TRUE;
    if (!object)
        Py_RETURN_FALSE;
    Py_RETURN_NOTIMPLEMENTED;
}
