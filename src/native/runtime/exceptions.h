/* exceptions.h: tags, exceptions, and the numbers that wasm code knows exceptions by.
 *
 * tags.c has the tags, exceptions.c the exceptions and their collection, exnrefs.c the numbers.
 */
#ifndef WPY_EXCEPTIONS_H
#define WPY_EXCEPTIONS_H

#include "core/core.h"

/* What kind of exception it is. The tag's address is its identity in all instances that have it. */
struct wpy_tag {
    wpy_object object;
    uint32_t param_count;
    uint8_t params[]; /* value types, a byte of the binary format each */
};

/* Python's handles count in `object.refs`; the group of `object` is NULL, since the exception may
   move to another group with its heap. While there are any, there is one handle on the heap. */
struct wpy_exception {
    wpy_object object;
    WamrPyException wamr;
    wpy_exception_heap *heap;
    wpy_exception *next;
    wpy_budget *budget; /* that its bytes are taken from, once it has a number */
    bool kept;          /* code has, or had, its exnref */
    bool marked;
    uint32_t cells[];
};

static inline wpy_exception *
wpy_exception_of(WamrPyException *wamr)
{
    return (wpy_exception *)((char *)wamr - offsetof(wpy_exception, wamr));
}

/* ---- exnrefs.c; with the group's lock ---- */

/* Gives an exception a number; false: there is none left, or no memory. */
bool wpy_exnref_take(wpy_exception *exception);
void wpy_exnref_give(wpy_exception *exception);
/* The exception of this number in this group; NULL: there is none. */
wpy_exception *wpy_exnref_find(const wpy_group *group, uint32_t ref);
/* The heap is freed. */
void wpy_exnref_pages_free(wpy_exception_heap *heap);

/* What a host function that fails with that number throws; NULL: nothing. */
wpy_exception *wpy_exception_thrown(int number);
/* callbacks.c: wasm code has caught what a host function has raised. */
void wpy_forget_raised(int number);

/* ---- tags.c ---- */

bool wpy_link_tags(wpy_instance *instance, WASMModuleInstance *wamr);

/* ---- exceptions.c: what the interpreter asks ---- */

WamrPyException *wpy_new_exception_hook(WASMExecEnv *env, void *tag, uint32 cells);
void wpy_throw_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown);
WamrPyException *wpy_thrown_exception_hook(WASMModuleInstance *wamr);
void wpy_caught_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown, bool kept);
void wpy_uncaught_exception_hook(WASMModuleInstance *wamr);
uint32 wpy_exception_ref_hook(WASMModuleInstance *wamr, WamrPyException *thrown);
WamrPyException *wpy_find_exception_hook(WASMModuleInstance *wamr, uint32 ref);

/* Marks the externrefs that the exceptions of the group hold, as wpy_mark_externrefs does. */
void wpy_exceptions_mark(const wpy_group *group, uint8_t *marks, uint32_t count);
/* Gives Python a handle on the exception of each exnref among these cells. */
void wpy_exnrefs_hold(const wpy_group *group, const uint8_t *types, uint32_t count,
                      const uint32_t *cells);

#endif
