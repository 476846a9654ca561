/* values.h: converts numbers and vectors between Python objects and cells, the units of 4 bytes in
 * which WAMR passes values.
 *
 * Only the plain cases are here: ints within the range of their type (signed or unsigned), floats,
 * and 16 bytes for a vector. For everything else, references too, the callers fall back on
 * src/wamr/_values/codec.py, which converts the value or raises an exception.
 */
#ifndef WPY_VALUES_H
#define WPY_VALUES_H

#include "interp/floating.h"
#include "cpython/cpython.h"

#include <string.h>

/* Value types, by their bytes in the binary format. */
enum {
    I32 = 0x7F,
    I64 = 0x7E,
    F32 = 0x7D,
    F64 = 0x7C,
    V128 = 0x7B,
    FUNCREF = 0x70,
    EXTERNREF = 0x6F,
    EXNREF = 0x69
};

/* Writes `value` as cells of the type `kind` and advances `*cell`. False where the value is not one
 * of the plain cases; no exception is set. */
static inline bool
wpy_value_to_cells(uint8_t kind, PyObject *value, uint32_t **cell)
{
    int overflow = 0;
    long long integer;
    double real;
    float narrow;

    switch (kind) {
    case I32:
    case I64:
        if (UNLIKELY(!PyLong_Check(value)))
            return false;
        integer = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (kind == I32) {
            if (UNLIKELY(overflow || integer < INT32_MIN || integer > UINT32_MAX))
                return false;
            *(*cell)++ = (uint32_t)integer;
            return true;
        }
        if (UNLIKELY(overflow)) { /* may fit as an unsigned one */
            unsigned long long natural;
            if (overflow < 0)
                return false;
            natural = PyLong_AsUnsignedLongLong(value);
            if (natural == (unsigned long long)-1 && PyErr_Occurred()) {
                PyErr_Clear();
                return false;
            }
            integer = (long long)natural;
        }
        memcpy(*cell, &integer, 8);
        *cell += 2;
        return true;
    case F32:
    case F64:
        if (LIKELY(PyFloat_Check(value)))
            real = PyFloat_AsDouble(value);
        else if (PyLong_Check(value)) {
            real = PyLong_AsDouble(value);
            if (real == -1.0 && PyErr_Occurred()) {
                PyErr_Clear();
                return false;
            }
        } else
            return false;
        if (kind == F32) {
            if (wpy_floats_differ(wpy_floats_word())) {
                *(*cell)++ = wpy_f32_bits(real);
                return true;
            }
            narrow = (float)real; /* infinite where it is out of range */
            memcpy((*cell)++, &narrow, 4);
            return true;
        }
        memcpy(*cell, &real, 8);
        *cell += 2;
        return true;
    case V128:
        if (UNLIKELY(!PyBytes_Check(value) || PyBytes_Size(value) != 16))
            return false;
        memcpy(*cell, PyBytes_AsString(value), 16);
        *cell += 4;
        return true;
    default:
        return false;
    }
}

/* Reads a value of the type `kind`, a number or a vector, and advances `*cell`. A new reference, or
 * NULL with an exception. */
static inline PyObject *
wpy_value_from_cells(uint8_t kind, const uint32_t **cell)
{
    const uint32_t *at = *cell;
    long long integer;
    double real;
    float narrow;

    switch (kind) {
    case I32:
        *cell += 1;
        return PyLong_FromLong((int32_t)*at);
    case I64:
        *cell += 2;
        memcpy(&integer, at, 8);
        return PyLong_FromLongLong(integer);
    case F32:
        *cell += 1;
        /* Subnormal, infinite, or a NaN. The conversion of any other value does not depend on the
         * floating-point environment. */
        if (UNLIKELY((((*at >> 23) + 1) & 0xFF) <= 1) && *at << 1)
            return PyFloat_FromDouble(wpy_f32_value(*at));
        memcpy(&narrow, at, 4);
        return PyFloat_FromDouble(narrow);
    case F64:
        *cell += 2;
        memcpy(&real, at, 8);
        return PyFloat_FromDouble(real);
    default:
        *cell += 4;
        return PyBytes_FromStringAndSize((const char *)at, 16);
    }
}

#endif
