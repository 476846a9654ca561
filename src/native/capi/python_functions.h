/* python_functions.h: the functions of Python that the C API calls.
 *
 * As include/python_functions.h; both are in src/wamr/_capi/callbacks.py.
 */
#ifndef WPY_CAPI_PYTHON_FUNCTIONS_H
#define WPY_CAPI_PYTHON_FUNCTIONS_H

#include "wasm_c_api.h"

/* cdef begin */

/* Calls the Python function of the handle `env`. Writes the trap or NULL to *trap, and returns 0.
   Returns WPY_EXCEPTION_LOST where Python failed before it had a trap, for example without stack.
 */
int wpy_py_api_callback(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results,
                        wasm_trap_t **trap);

/* Runs the finalizer that Python knows under the handle `info`. */
void wpy_api_finalizer(void *info);

/* cdef end */

#endif
