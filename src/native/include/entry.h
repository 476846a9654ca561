/* entry.h: what Python's side of a host function's call looks like to our C. It is no part of
 * wpy.h, since cffi never calls it: cpython/callbacks.c sets it, where there is a C API of CPython.
 */
#ifndef WPY_ENTRY_H
#define WPY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* Calls the host function with this number: kinds are bytes of the binary format, parameters first,
   numbers and vectors only. Argument cells in, result cells out; they may overlap. 0, or the number
   of the exception that waits. */
typedef int (*wpy_host_entry)(uint32_t id, const uint8_t *kinds, uint32_t param_count,
                              uint32_t result_count, const uint32_t *args, uint32_t *results);

/* Lets go of the exception that waits under that number; false: none does here. Runs no bytecode but
   of destructors: what a signal handler raised would be lost. */
typedef bool (*wpy_host_forget)(int number);

void wpy_host_set_entry(wpy_host_entry entry, wpy_host_forget forget);

#endif
