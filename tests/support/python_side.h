/* python_side.h: the functions of Python that our C calls, for C programs of the tests, where they
 * do nothing. Included once, by the source file of a program, which defines wpy_py_cells, and those
 * that it names: OWN_FORGET, OWN_WASI_WRITE.
 */
#ifndef PYTHON_SIDE_H
#define PYTHON_SIDE_H

#include <stdint.h>

int
wpy_py_signals(void)
{
    return 0;
}

int
wpy_py_cannot_suspend(int host_id)
{
    (void)host_id;
    return -1;
}

#if !defined(OWN_FORGET)
void
wpy_py_forget(int number)
{
    (void)number;
}
#endif

int
wpy_py_wasi_read(uint64_t streams_id, uint8_t *data, uint32_t size)
{
    (void)streams_id, (void)data, (void)size;
    return 0;
}

#if !defined(OWN_WASI_WRITE)
int
wpy_py_wasi_write(uint64_t streams_id, int fd, const uint8_t *data, uint32_t size)
{
    (void)streams_id, (void)fd, (void)data, (void)size;
    return 0;
}
#endif

#endif
