/* signature.h: Signature, what all functions of one type share in calls. */
#ifndef WPY_SIGNATURE_H
#define WPY_SIGNATURE_H

#include "cpython/cpython.h"

typedef struct {
    PyObject_HEAD
    PyObject *type; /* the FuncType, for SlowCall */
    char *doc;      /* the docstring of the builtin functions, without their name; owned */
    const uint8_t *kinds, *results; /* the types of the parameters and of the results, in `doc`'s
                                       allocation */
    uint32_t param_count, result_count;
    uint32_t cells;  /* of the parameters or of the results, whichever has more */
    bool direct;     /* there are no function references, which only Python converts */
    bool externrefs; /* there are externrefs */
} Signature;

extern PyTypeObject *wpy_signature_type;

#endif
