/* convert.h: what cffi does between Python and C, adjusted. Included by the generated extension
 * module only.
 *
 * cffi takes anything with __int__ that is no float for an integer: Decimal("2.5") would silently
 * become 2. Here 64-bit integers, which is how every integer of a call travels, come from int or
 * from what has __index__, as everywhere in Python. And it saves and restores errno around each
 * call, which nobody here asks for (8 ns a call).
 */
#ifndef WPY_CONVERT_H
#define WPY_CONVERT_H

static int64_t
wpy_to_int64(PyObject *value)
{
    PyObject *number;
    long long result;

    if (PyLong_Check(value))
        return (int64_t)PyLong_AsLongLong(value);
    if (!(number = PyNumber_Index(value)))
        return -1;
    result = PyLong_AsLongLong(number);
    Py_DECREF(number);
    return (int64_t)result;
}

#undef _cffi_to_c_i64
#define _cffi_to_c_i64 wpy_to_int64

#undef _cffi_restore_errno
#undef _cffi_save_errno
#define _cffi_restore_errno() ((void)0)
#define _cffi_save_errno() ((void)0)

#endif
