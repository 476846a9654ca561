/* python_functions.h: the functions of Python that our C calls.
 *
 * The part between the two marks is read by the C compiler and, as `extern "Python+C"`, by cffi
 * (build_ffi.py), which defines the functions. Each takes the GIL, so the caller holds no lock but
 * that of a group. What a function raises stays in its thread, under a negative number.
 */
#ifndef WPY_PYTHON_FUNCTIONS_H
#define WPY_PYTHON_FUNCTIONS_H

#include <stdint.h>

/* cdef begin */

/* ---- src/wamr/_runtime/callbacks.py ---- */

/* Calls a host function with argument cells; result cells out. Returns 0, WPY_SUSPENDS, or the
   number of the pending exception. */
int wpy_py_cells(int host_id, uint32_t *args, uint32_t *results);

/* Runs signal handlers, and sets the stop flag of a thread whose result nobody waits for any more.
   Returns 0, or the number of the pending exception. */
int wpy_py_signals(void);

/* Drops the exception with this number. */
void wpy_py_forget(int number);

/* Returns the number of the exception for a host function that suspends a call which can't be
   suspended. */
int wpy_py_cannot_suspend(int host_id);

/* ---- src/wamr/_wasi/streams.py ---- */

/* Read from stdin, and write to stdout or stderr (`fd`). Both return the number of bytes, or the
   number of the pending exception. A read returns WPY_WOULD_BLOCK where there is nothing to read
   yet; with a size of 0 it only asks. A write returns 0 where nothing could be written yet. */
int wpy_py_wasi_read(uint64_t streams_id, uint8_t *data, uint32_t size);
int wpy_py_wasi_write(uint64_t streams_id, int fd, const uint8_t *data, uint32_t size);

/* cdef end */

#endif
