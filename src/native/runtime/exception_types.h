/* exception_types.h: tags, exceptions, and exnrefs.
 *
 * tags.c makes and links tags. exceptions.c has the hooks of the interpreter, exception_heap.c the
 * heaps, and exception_collector.c makes exceptions and frees those that nothing refers to.
 * exnrefs.c gives them numbers, host_exceptions.c throws those of host functions, and
 * exception_handles.c is Python's side.
 */
#ifndef WPY_EXCEPTION_TYPES_H
#define WPY_EXCEPTION_TYPES_H

#include "include/entry.h"

#include "runtime/runtime.h"

/* The address of a tag is its identity in all instances that have it. */
struct wpy_tag {
    wpy_object object;
    wpy_budget *budget; /* a reference: the store's, or NULL */
    uint32_t param_count;
    uint8_t params[]; /* value types, a byte of the binary format each */
};

/* `object.refs` counts Python's handles. The group of `object` is NULL, since the heap may move to
   another group. While there are handles, there is one handle on the heap. */
struct wpy_exception {
    wpy_object object;
    WamrPyException wamr;
    wpy_exception_heap *heap;
    wpy_exception *next;
    wpy_budget *budget; /* a reference: charged since the exception has a number */
    bool marked;        /* by the collector */
    uint32_t cells[];
};

static inline wpy_exception *
wpy_exception_of(WamrPyException *wamr)
{
    return (wpy_exception *)((char *)wamr - offsetof(wpy_exception, wamr));
}

/* ---- exnrefs.c; with the group's lock ---- */

/* Gives an exception a number; false: none is left, or out of memory. */
bool wpy_exnref_allocate(wpy_exception *exception);
/* Ends the number of an exception, if it has one. */
void wpy_exnref_release(wpy_exception *exception);
/* The exception with this number in this group; NULL: there is none. */
wpy_exception *wpy_exnref_find(const wpy_group *group, uint32_t ref);
/* Returns the pages of a heap without exceptions. */
void wpy_exnref_pages_free(wpy_exception_heap *heap);

/* ---- exception_heap.c; with the group's lock ---- */

#define WPY_EXCEPTIONS_LEAST 64 /* exceptions between two collections */

extern const wpy_object_ops wpy_exception_ops;

/* The heap of new exceptions of a group, made at the first call; NULL: out of memory. */
wpy_exception_heap *wpy_exception_heap_of(wpy_group *group);
/* What budgets are charged for the exception. */
uint64_t wpy_exception_size(const wpy_exception *exception);
/* Frees an exception that is in no list any more. */
void wpy_exception_free(wpy_exception *exception);

/* ---- exception_collector.c; with the group's lock ---- */

void wpy_collect_exceptions(wpy_group *group);
/* Sets marks[n] for each externref n that the values of the group's exceptions have. */
void wpy_exceptions_mark(wpy_group *group, uint8_t *marks, uint32_t count);
/* An exception with room for its cells, without a handle; NULL: out of memory. May collect. */
wpy_exception *wpy_exception_allocate(wpy_group *group, wpy_tag *tag, uint32_t cells);
/* Gives an exception that a collection leaves a number, and charges the budget. False: there is no
   room, even after a collection. */
bool wpy_exception_number(wpy_group *group, wpy_exception *exception, wpy_budget *budget);

/* ---- host_exceptions.c ---- */

/* Once per process, before the first host function. */
void wpy_host_set_forget(wpy_host_forget forget);
/* wasm code has caught the exception of a host function: drops the Python exception with that
   number. */
void wpy_forget_raised(int number);
/* A host function of that store, called by `instance`, has failed with that number. If it raised a
   WasmException of the store, the exception unwinds the code of the instance. */
void wpy_throw_raised(wpy_instance *instance, uint64_t store_id, int number);

/* ---- tags.c ---- */

/* Gives the instance its tags: the imported ones and new ones. False: out of memory. */
bool wpy_link_tags(wpy_instance *instance, WASMModuleInstance *wamr);

/* ---- exceptions.c: hooks of the interpreter ---- */

WamrPyException *wpy_new_exception_hook(WASMExecEnv *env, void *tag, uint32 cells);
void wpy_throw_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown);
WamrPyException *wpy_thrown_exception_hook(WASMModuleInstance *wamr);
void wpy_caught_exception_hook(WASMModuleInstance *wamr, WamrPyException *thrown);
void wpy_uncaught_exception_hook(WASMModuleInstance *wamr);
uint32 wpy_exception_ref_hook(WASMModuleInstance *wamr, WamrPyException *thrown);
WamrPyException *wpy_find_exception_hook(WASMModuleInstance *wamr, uint32 ref);

/* ---- exception_handles.c ---- */

void wpy_exnrefs_hold(const wpy_group *group, const uint8_t *types, uint32_t count,
                      const uint32_t *cells);

#endif
