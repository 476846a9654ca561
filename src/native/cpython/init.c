/* init.c: initialises the types and functions of this folder. */
#include "cpython/cpython.h"

int
wpy_add_types(PyObject *module)
{
    /* signature.c and callable_base.c make the types that others check for */
    static int (*const add[])(PyObject *) = {
        wpy_add_signature,      wpy_add_callable_base, wpy_add_function,
        wpy_add_memory,         wpy_add_callbacks,     wpy_add_externrefs,
        wpy_add_reference_slot, wpy_add_table,         wpy_add_global,
        wpy_add_describe,       wpy_add_interpreter,   wpy_add_kept_exceptions,
        wpy_add_passing_refs,
    };
    size_t i;

    for (i = 0; i < sizeof add / sizeof *add; i++)
        if (add[i](module) < 0)
            return -1;
    return 0;
}
