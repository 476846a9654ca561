/* init.h: adds the types of this folder to the module that cffi generates.
 *
 * Only cffi's generated source includes this file (extension.h), after its declaration of
 * _cffi_init() and before PyInit__wamr(), which calls it. A macro redirects that call to
 * wpy_init().
 */
#ifndef WPY_INIT_H
#define WPY_INIT_H

#include "cpython/cpython.h"

static PyObject *
wpy_init(const char *name, Py_ssize_t version, const struct _cffi_type_context_s *context)
{
    PyObject *module;

    /* Before anything else, since cffi would remain half loaded. */
    if (wpy_check_interpreter() < 0)
        return NULL;
    module = _cffi_init(name, version, context);
#ifdef Py_GIL_DISABLED /* as cffi does since 2.0, or the import would turn the GIL on */
    if (module && PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) < 0)
        Py_CLEAR(module);
#endif
    if (module && wpy_add_types(module) < 0)
        Py_CLEAR(module);
    return module;
}

#define _cffi_init wpy_init

#endif
