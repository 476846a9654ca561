/* signature.h: what the functions of one type share. */
#ifndef WPY_SIGNATURE_H
#define WPY_SIGNATURE_H

#include "cpython/cpython.h"

typedef struct {
    PyObject_HEAD PyObject *type; /* the FuncType, for Call */
    char *doc;                    /* of the builtin function, behind its name */
    const uint8_t *kinds, *results;
    uint32_t param_count, result_count, cells;
    bool direct;  /* no function references: those are Python's business */
    bool objects; /* externrefs */
} Signature;

extern PyTypeObject *wpy_signature_type;

#endif
