/* func.h: the functions of an instance, which are made when they are first asked for. */
#ifndef WPY_FUNC_H
#define WPY_FUNC_H

#include "runtime/runtime.h"

/* Makes the function with this index, which is in range; or NULL: out of memory. For the next. */
wpy_func *wpy_func_make(wpy_instance *instance, uint32_t index);
/* The function with this index in the instance, borrowed: it lives as long as the group. NULL: out
   of memory, or no such function. Any thread, with or without the group's lock. */
static inline wpy_func *
wpy_func_borrow(wpy_instance *instance, uint32_t index)
{
    wpy_func **piece, *func;

    if (index >= instance->func_count)
        return NULL;
    if ((piece = ATOMIC_LOAD_ACQUIRE(&instance->funcs[index >> WPY_PIECE_BITS])) &&
        (func = ATOMIC_LOAD_ACQUIRE(&piece[index % WPY_PIECE])))
        return func;
    return wpy_func_make(instance, index);
}

#endif
