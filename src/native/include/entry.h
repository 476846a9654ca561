/* entry.h: the entry to Python for calls of host functions.
 *
 * cpython/callbacks.c sets it, where there is CPython's C API. Not in wpy.h, since cffi never calls
 * it.
 */
#ifndef WPY_ENTRY_H
#define WPY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* Calls the host function with this id. `kinds` are value types of the binary format, parameters
   first, numbers and vectors only. Argument cells in, result cells out; the two may overlap.
   Returns 0, or the number of the pending exception. Called without the GIL, under the lock of the
   caller's group. */
typedef int (*wpy_host_entry)(uint32_t id, const uint8_t *kinds, uint32_t param_count,
                              uint32_t result_count, const uint32_t *args, uint32_t *results);

/* Drops the exception that is kept under that number; false: there is none. Runs no bytecode but
   that of destructors, since the exception of a signal handler would be lost. */
typedef bool (*wpy_host_forget)(int number);

void wpy_host_set_entry(wpy_host_entry entry, wpy_host_forget forget);

#endif
