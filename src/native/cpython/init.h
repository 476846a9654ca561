/* init.h: makes the types of this folder part of the module that cffi generates. Included by its
 * source only. */
#ifndef WPY_INIT_H
#define WPY_INIT_H

int wpy_add_signature(PyObject *module);
int wpy_add_caller(PyObject *module);
int wpy_add_function(PyObject *module);
int wpy_add_window(PyObject *module);
int wpy_add_callback(PyObject *module);
int wpy_add_numbers(PyObject *module);
int wpy_add_place(PyObject *module);
int wpy_add_elements(PyObject *module);
int wpy_add_cell(PyObject *module);
int wpy_add_described(PyObject *module);
int wpy_add_interpreter(PyObject *module);
int wpy_check_interpreter(void);

static PyObject *
wpy_init(const char *name, Py_ssize_t version, const struct _cffi_type_context_s *context)
{
    PyObject *module;

    if (wpy_check_interpreter() < 0) /* first of all: cffi would stay behind, half loaded */
        return NULL;
    module = _cffi_init(name, version, context);
    if (module &&
        (wpy_add_signature(module) < 0 || wpy_add_caller(module) < 0 ||
         wpy_add_function(module) < 0 || wpy_add_window(module) < 0 ||
         wpy_add_callback(module) < 0 || wpy_add_numbers(module) < 0 || wpy_add_place(module) < 0 ||
         wpy_add_elements(module) < 0 || wpy_add_cell(module) < 0 ||
         wpy_add_described(module) < 0 || wpy_add_interpreter(module) < 0)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}

/* What the generated PyInit__wamr calls, further down in its file. */
#define _cffi_init wpy_init

#endif
