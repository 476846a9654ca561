/* convert.h: adjusts how cffi converts between Python and C.
 *
 * Only cffi's generated source includes this file (extension.h). Two conversions are replaced:
 *
 * - cffi accepts any object with __int__ but a float as an integer, so Decimal("2.5") would
 * silently become 2. The integers of a call are 64 bits wide; these are accepted from int and from
 * types with __index__ only, as everywhere in Python.
 * - cffi saves and restores errno around each call. No caller here reads errno, and this takes 8 ns
 *   a call.
 */
#ifndef WPY_CONVERT_H
#define WPY_CONVERT_H

/* -1 with an exception where `value` is not an integer of 64 bits. */
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
