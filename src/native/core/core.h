/* core.h: the structs that our C files share, and what each file offers the others.
 *
 * The only header here that includes WAMR's own. It has types and contracts; what every call runs
 * through is in runtime/enter.h.
 */
#ifndef WPY_CORE_H
#define WPY_CORE_H

#include "include/compiler.h"
#include "core/lock_order.h"
#include "include/now.h"
#include "include/wpy.h"

#include <stdlib.h>
#include <string.h>

#include "platform_api_vmcore.h"
#include "wasm_runtime_common.h"
#include "wasm_exec_env.h"
#include "wasm_interp.h"
#include "wasm_loader_common.h"
#include "wasm_memory.h"
#include "wasm_native.h"
#include "wasm_runtime.h"

#define WPY_NULL_REF UINT32_MAX
#define WPY_PAGE 65536u

/* Of one table, and of all that a module makes: 80 MB. Elements are written when a table is made,
 * so a module must not ask for as many as there may be. */
#define WPY_MOST_ELEMENTS 10000000u

/* How many checks (branches and calls, see runtime/checkpoint.c) pass between two visits of the
   slow path. A prime, so that no loop falls into step with it. */
#define WPY_SLICE 65521

/* The most bytes of code that a function may run through, with all it calls, to count as bounded: a
 * few microseconds. */
#define WPY_BOUNDED 1000

/* ---- groups and what lives in them (group.c) ---- */

typedef struct wpy_group wpy_group;
typedef struct wpy_exception_heap wpy_exception_heap;

typedef struct wpy_object wpy_object;

/* What a group does with objects of one kind. The file of the kind defines the record, so that
   groups and their locks know no kind. */
typedef struct wpy_kind {
    /* Ends the object's use of others of the group, while these still stand; NULL: it uses none. */
    void (*shut)(wpy_object *object);
    /* Does the object wait to be shut, and does nothing run in it? NULL: it never waits. */
    bool (*waits)(const wpy_object *object);
    void (*free)(wpy_object *object);
    /* An object without a group has its first handle, under the registry's lock; NULL: no matter. */
    void (*first_handle)(wpy_object *object);
} wpy_kind;

extern const wpy_kind wpy_instance_kind, wpy_func_kind, wpy_host_kind, wpy_memory_kind,
    wpy_table_kind, wpy_global_kind, wpy_tag_kind;

/* The head of every struct that Python holds a handle on, modules and WASI configurations excepted.
 */
struct wpy_object {
    wpy_group
        *group; /* NULL: a host function, or an exception: each counts its own references */
    union {
        wpy_object *next; /* of the group's */
        uint32_t refs;    /* its own, where there is no group */
    };
    const wpy_kind *kind;
};

struct wpy_group {
    uintptr_t owner; /* atomic: the wpy_thread that is in there, bit 0: somebody waits; 0: free */
    korp_mutex mutex;
    korp_cond cond;
    uint32_t waiting;   /* under `mutex` */
    uint32_t recursion; /* its owner's: how many more calls than one it has open in the group */
    bool orphaned;      /* its owner is a thread of the process that this one was forked from */
    wpy_group *next_group, **link_group; /* of all groups, under the registry's lock */
    uint32_t handles;                    /* under the registry's lock, as all below */
    wpy_object *objects; /* its head is atomic: whoever has the lock may walk along it, too */
    wpy_group
        *absorbed; /* groups that this one has taken in: a thread may still wait on their locks */
    bool sweep;    /* atomic, set under the registry's lock: instances wait for their close */
    wpy_object *
        *retained; /* a hash set: host functions that sit in tables or globals of the group */
    uint32_t retained_count, retained_room;
    wpy_exception_heap *exceptions; /* with the group's lock; see runtime/exceptions.h */
};

typedef struct wpy_exnref_page wpy_exnref_page;

/* The exceptions of a group: runtime/exceptions.c. Two heaps are in one group after a merge: exceptions stay in theirs. */
struct wpy_exception_heap {
    wpy_object object;
    wpy_exception_heap *next; /* of the group's */
    wpy_exception *first;
    uint32_t count, limit; /* a collection is due at so many */
    wpy_exnref_page *pages; /* that have a free number */
};

/* A call that a thread has open. It lies on the native stack, which a greenlet may have moved away:
 * who comes upon an activation asks wpy_open_at first, see stack_switch.c. */
typedef struct wpy_activation {
    struct wpy_activation *self; /* this one; NULL: it has ended */
    struct wpy_activation *prev;
    wpy_instance *instance;
    uint8_t *base;       /* where its first frame begins on the wasm stack */
    uint64_t deadline;   /* the nearest of this and all outer ones; UINT64_MAX: none; WPY_UNCOUNTED:
                            see wpy_deadline */
    uint64_t timeout_ns; /* its own; 0: none */
    int64_t fuel_floor;  /* stop when the instance's fuel falls below this */
} wpy_activation;

/* A timeout is counted from the first look at the clock, which comes within a slice, or before
   anything that takes time: most calls end without one. */
#define WPY_UNCOUNTED (UINT64_MAX - 1)

#define WPY_RECORDS 8

typedef struct wpy_record {
    const void
        *who; /* the function (or instance, or wpy_take_error's other argument) that failed */
    int32_t status, code;
    uint32_t frame_count;
    wpy_frame *frames;
    wpy_exception *exception; /* a handle, or NULL */
    char text[EXCEPTION_BUF_LEN];
} wpy_record;

typedef struct wpy_thread {
    wpy_activation *top;
    uint64_t serial;      /* 0: not seen yet */
    const uint32_t *stop; /* atomic, its caller's: not 0: what runs in this thread is to end; NULL:
                             nobody will ask */
    wpy_group *wants;     /* what it waits for, under the registry's lock */
    struct wpy_thread *next_waiting;
    uint64_t signals_at; /* when Python's signals were looked at last */
    uint32_t frame_count, frame_room;
    wpy_frame *frames; /* of the trap that is on its way out, innermost first */
    wpy_exception *thrown; /* by the host function that fails now, with this number */
    int thrown_with;
    uint32_t record_count;
    wpy_record records[WPY_RECORDS];
#if defined(WPY_CHECKED)
    uint32_t locks; /* of lock_order.h that it has */
#endif
} wpy_thread;

extern THREAD_LOCAL wpy_thread wpy_self;

/* ---- modules ---- */

/* In the flags of a module's `spaces`, beside those of wpy_extern. */
#define WPY_EXPORTED 4

struct wpy_module {
    uint32_t refs; /* atomic */
    WASMModule *wamr;
    uint8_t *bytes; /* WAMR's copy; it writes into it */
    korp_mutex
        mutex; /* held while an instance with imported globals is made, see runtime/instantiate.c */
    uint32_t forks; /* wpy_forks when the mutex was made; under the registry's lock */
    wpy_extern *imports, *exports;
    uint32_t import_count, export_count;
    wpy_extern *memory; /* the module's memory, imported or own, or NULL; points into `spaces` */
    wpy_extern *spaces; /* all tables, the memory, and all globals, imported ones first; for their
                           true limits */
    uint32_t table_count, global_count;
    uint8_t *arena;     /* names and types of the descriptions */
    bool no_memory;     /* for all that, as runtime/describe.c found */
    int32_t start;      /* the start function's index or -1 */
    int32_t initialize; /* a reactor's `_initialize`, or -1 */
};

extern uint32_t wpy_forks; /* how often this process was forked from another since it began; under
                              the registry's lock */
void wpy_module_lock(wpy_module *module);
void wpy_module_unlock(wpy_module *module);

/* ---- budgets (budget.c) ---- */

typedef enum { WPY_MEMORY_BYTES, WPY_TABLE_ELEMENTS } wpy_resource;

wpy_budget *wpy_budget_retain(wpy_budget *budget);
bool wpy_budget_take(wpy_budget *budget, wpy_resource what, uint64_t amount);
void wpy_refuse(int reason, uint64_t wanted, uint64_t limit);
void wpy_forget_refusal(void);
void wpy_budget_give(wpy_budget *budget, wpy_resource what, uint64_t amount);

/* ---- objects ---- */

enum {
    WPY_ATTN_CLOSED = 1,
    WPY_ATTN_TIMED = 2,
    WPY_ATTN_CLOSE_PENDING = 4,
    WPY_ATTN_OUT_OF_ORDER = 8 /* a call ended before one that began later */
};

/* What an instance whose fuel is not counted begins with: 2^62 checks take centuries. */
#define WPY_FUEL_ENDLESS (INT64_MAX / 2)

struct wpy_instance {
    wpy_object object;
    uint32_t attention; /* atomic: WPY_ATTN_… */
    uint32_t depth;     /* atomic for interrupt(): calls that are in it */
    uint64_t thread;    /* serial of the thread whose stack the exec_env knows */
    WASMModuleInstance *wamr;
    WASMExecEnv *env;
    wpy_module *module;
    uint64_t generation; /* atomic: counts its outermost calls */
    uint64_t stop_at;    /* atomic: the generation that is to be interrupted */
    int64_t fuel;        /* what is left beside the slice in the exec_env */
    bool fuel_counted;   /* there is a limit */
    int32_t status;      /* of the exception on its way: enum wpy_status, see backtrace.c */
    int32_t status_code;
    wpy_exception *exception; /* what code has thrown, on its way; NULL: nothing, or a trap */
    uint64_t timeout_ns;
    uint64_t instance_id;
    wpy_func **funcs; /* by function index, made when first asked for */
    uint32_t func_count;
    uint32_t ref_base;          /* of its functions' references, see runtime/refs.c */
    const wpy_imports *imports; /* only while it is made */
    wpy_func **imported;        /* one per imported function, NULL for WASI's own */
    bool calls_python_only;     /* all of them are host functions */
    WASMFunctionImport *import_structs;
    wpy_memory *memory;
    wpy_table **tables;
    wpy_global **globals;
    wpy_tag **tags;
    uint32_t tag_count;
    wpy_wasi *wasi;
    wpy_budget *budget;
    uint64_t own_elements; /* of its tables that lie in WAMR's block, taken from the budget */
    uint8_t *kept_top; /* WPY_ATTN_OUT_OF_ORDER: below this the wasm stack is not used again until
                          nobody is in the instance */
    bool linked;       /* the link hook has run */
    bool making;       /* inside wasm_instantiate */
    bool kept; /* instantiation failed when its functions may have been in others' tables: stays
                  until the group goes */
};

/* Calls Python; false: it failed, and its exception waits. */
typedef bool (*wpy_dispatcher)(WASMExecEnv *env, wpy_func *func, const uint32_t *args,
                               uint32_t *results);

struct wpy_func {
    wpy_object object;
    /* a function of an instance */
    wpy_instance *instance;
    WASMFunctionInstance *wamr;
    /* every function */
    uint16_t param_cells, result_cells;
    WASMFuncType *type;
    uint32_t index; /* in its instance, or the host id */
    uint32_t ref;   /* host function: its reference */
    void *outside;  /* what stands for it in Python, see include/now.h; under the GIL */
    /* what an import slot or a table's foreign entry points at */
    wpy_dispatcher dispatch;
    WASMFunctionImport import_struct;
    WASMFunctionInstance proxy;
};

struct wpy_memory {
    wpy_object object;
    WASMMemoryInstance wamr;
    uint32_t declared_max;
    bool has_max;
    bool host;      /* made by the host: not closed by an instance */
    uint32_t users; /* open instances that have it, plus one for the host's */
    uint32_t pins;  /* views */
};

struct wpy_table {
    wpy_object object;
    wpy_budget *budget;
    WASMTableInstance *wamr;
    size_t mapped;
    uint32_t declared_max;
    bool has_max;
    uint8_t element;
};

/* What an instance asks of its WASI configuration. wasi/config.c has the record, so that instances
 * know nothing of WASI. */
typedef struct wpy_wasi_kind {
    bool (*link)(wpy_wasi *wasi, wpy_instance *instance, char *error, uint32_t size);
    void (*release)(wpy_wasi *wasi);
} wpy_wasi_kind;

/* The head of every wpy_wasi. */
typedef struct wpy_wasi_head {
    const wpy_wasi_kind *kind;
    uint32_t refs; /* atomic */
} wpy_wasi_head;

static inline const wpy_wasi_kind *
wpy_wasi_kind_of(wpy_wasi *wasi)
{
    return ((wpy_wasi_head *)wasi)->kind;
}

struct wpy_global {
    wpy_object object;
    uint8_t content;
    bool mutable_;
    uint64_t cell[2];
};

/* ---- thread.c: and the registry: one lock for everything that is rare ---- */
bool wpy_threads_setup(void);
void wpy_thread_begin(wpy_thread *me);
void wpy_registry_lock(void);
void wpy_registry_unlock(void);
uint64_t wpy_now(void); /* ns, monotonic */

/* ---- activation.c ---- */
int wpy_stopped(const wpy_thread *me);
/* The nearest deadline of an activation and its outer ones, all of which are counted by now. */
uint64_t wpy_deadline(wpy_activation *activation, uint64_t now);

/* Whether somebody has asked for the end of what runs in this thread. */
static inline bool
wpy_stop_asked(const wpy_thread *me)
{
    return me->stop && ATOMIC_LOAD(me->stop);
}

/* ---- stack_switch.c ---- */
COLD bool wpy_out_of_order(WASMExecEnv *env, struct WASMInterpFrame *frame);
COLD void wpy_leave_slow(wpy_instance *instance);

/* ---- group.c ---- */
wpy_group *wpy_group_new(void);
void wpy_groups_forked(void); /* in the child, under the registry's lock */
void wpy_group_free(wpy_group *group);
/* Puts `object` into `group`, with one handle on it. */
void wpy_group_add(wpy_group *group, wpy_object *object, const wpy_kind *kind);
/* Frees an object that nobody has seen yet. */
void wpy_group_discard(wpy_object *object);
/* Gives back the handle on an object that was discarded; not the last of the group. */
void wpy_group_forget_handle(wpy_group *group);
/* Makes one group of the groups of the given objects; a status. All other objects must be unlocked
 * or ours. */
int wpy_group_merge(wpy_object *into, wpy_object *other);

/* ---- lock.c ---- */
/* The slow half of wpy_enter: waits up to 50 ms; a status. */
COLD int wpy_group_wait(wpy_object *object, wpy_thread *me);
COLD void wpy_group_wake(wpy_group *group);
/* Takes the lock of the group an object is in, for short work outside of calls; *held: it was taken
 * by this call. */
int wpy_group_enter(wpy_object *object, bool *held);
void wpy_group_leave(wpy_object *object, bool held);
bool wpy_group_enter_now(wpy_object *object, bool *held);
/* The locks of both groups, as above; this thread never waits for one while it has the other by
 * this call only. */
int wpy_group_enter_both(wpy_object *a, wpy_object *b, bool *held_a, bool *held_b);
void wpy_group_unlock(wpy_group *group);
/* When nobody is in the group any more, instances of it that wait for their close are closed. */
void wpy_group_sweep(wpy_object *object);
void wpy_group_forked(wpy_group *group);
void wpy_waiting_forked(void);

/* ---- retain.c ---- */
bool wpy_group_adopt(wpy_group *group, wpy_object *host);
void wpy_group_hand_on(wpy_group *into, wpy_group *from);

/* ---- runtime/instance.c ---- */
void wpy_instance_shut(wpy_instance *instance); /* what close means, when nothing runs in it */

/* ---- runtime/imports.c ---- */
bool wpy_link_hook(WASMModuleInstanceCommon *wamr, char *error, uint32_t error_size);
bool wpy_unlink_hook(WASMModuleInstanceCommon *wamr);

/* ---- runtime/refs.c ---- */
bool wpy_refs_take(wpy_instance *instance);
void wpy_refs_give(wpy_instance *instance);
bool wpy_refs_take_host(wpy_func *func);
void wpy_refs_give_host(wpy_func *func);
wpy_func *wpy_refs_find(uint32_t ref); /* borrowed; NULL: null or dead */
WASMFunctionInstance *wpy_foreign_hook(WASMModuleInstance *from, uint32_t ref,
                                       WASMFuncType *expected);

/* ---- runtime/describe.c ---- */
bool wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size);

/* ---- runtime/func.c, runtime/callbacks.c ---- */
wpy_func *wpy_func_borrow(wpy_instance *instance, uint32_t index);
void wpy_func_init(wpy_func *func, WASMFuncType *type);
bool wpy_call_hook(WASMExecEnv *env, WASMFunctionInstance *current, uint32_t *args,
                   uint32_t *results);

/* ---- region.c, runtime/memory.c, runtime/table.c, runtime/global.c ---- */
void *wpy_region_alloc(uint64_t size, wpy_budget *budget);
void *wpy_region_exact(uint64_t size);
void wpy_region_free(void *base);
void wpy_regions_setup(void);
void *wpy_malloc(size_t size);
void wpy_allocator(MemAllocOption *option);
extern THREAD_LOCAL wpy_budget
    *wpy_region_budget; /* that the next linear memory's bytes are taken from */
wpy_memory *wpy_memory_adopt(WASMMemoryInstance *inline_one, const wpy_extern *limits);
void wpy_memory_drop(wpy_memory *memory); /* a user less */
wpy_table *wpy_table_map(uint8_t element, uint32_t min, uint32_t max, bool has_max,
                         wpy_budget *budget);
bool wpy_enlarge_hook(WASMModuleInstance *wamr, WASMTableInstance *table, uint32_t delta);

/* ---- backtrace.c ---- */
COLD int wpy_after_exception(wpy_func *func);
COLD void wpy_record_push(const void *who, int status, int code, const char *text, bool frames);
int wpy_record_pass(const void *who);
void wpy_record_forget(wpy_record *record);
void wpy_trapped_hook(WASMExecEnv *env);
/* Makes the instance's exception the one of `to`, which called it, and may be the same. */
void wpy_exception_move(wpy_instance *from, WASMModuleInstance *to);
/* Sets an exception that is to come out with this status. */
void wpy_stop(WASMModuleInstance *wamr, int status, int code, const char *text);

/* ---- runtime/offsets.c ---- */
void wpy_trace_hook(uint32 function, const uint8 *at, uint32 compiled);

/* ---- runtime/checkpoint.c ---- */
bool wpy_checkpoint_hook(WASMExecEnv *env);
/* wpy_enter's timeout for calls from wasm: the instance's own limit counts calls from Python only.
 */
#define WPY_NO_TIMEOUT UINT64_MAX
COLD int wpy_enter_slow(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns,
                        int64_t fuel);
COLD void wpy_thread_arrived(wpy_instance *instance, wpy_thread *me);
void wpy_fuel_settle(wpy_instance *instance);
/* For code that waits: false: stop waiting, the exception is set. `woken`: by a signal. */
bool wpy_wait_check(WASMExecEnv *env, bool woken);

/* ---- wasi/config.c, wasi/stdio.c ---- */
void wpy_wasi_setup(void);
void wpy_returned_hook(WASMExecEnv *env);

/* NULL: an instance of the procedural layer. */
static ALWAYS_INLINE wpy_instance *
wpy_instance_of(WASMExecEnv *env)
{
    return (wpy_instance *)((WASMModuleInstance *)env->module_inst)->custom_data;
}

#endif
