/* runtime.h: modules, instances and what instances share, and the functions of each file.
 *
 * Includes WAMR's internal headers for modules and instances; those for WASI are in wasi/wasi.h,
 * and those of wasm-c-api in capi/internal.h. What every call runs through is in enter.h, what it
 * leaves on the native stack in activation.h.
 */
#ifndef WPY_RUNTIME_H
#define WPY_RUNTIME_H

#include "core/core.h"
#include "include/now.h"

#include "wasm_runtime_common.h"
#include "wasm_exec_env.h"
#include "wasm_interp.h"
#include "wasm_loader_common.h"
#include "wasm_memory.h"
#include "wasm_native.h"
#include "wasm_runtime.h"

#define WPY_NULL_REF UINT32_MAX

/* The most elements of one table, and of all tables of a module: 80 MB. Elements are written when a
   table is made, so a module must not be able to ask for as many as the format allows. */
#define WPY_MOST_ELEMENTS 10000000u

/* The checks (branches and calls) between two visits of checkpoint.c. A prime, so that no loop is
   in step with it. */
#define WPY_SLICE 65521

/* The most bytes of code that a bounded function may run, with all that it calls: a few
   microseconds. */
#define WPY_BOUNDED 1000

extern const wpy_object_ops wpy_instance_ops, wpy_func_ops, wpy_memory_ops, wpy_table_ops,
    wpy_global_ops, wpy_tag_ops;

/* ---- module.c ---- */

/* A flag of a module's `spaces`, besides those of wpy_extern. */
#define WPY_EXPORTED 4

struct wpy_module {
    uint32_t refs; /* atomic */
    WASMModule *wamr;
    korp_mutex mutex; /* held while an instance that imports globals is made */
    uint32_t forks;   /* wpy_forks when the mutex was made; under the registry's lock */
    wpy_extern *imports, *exports;
    uint32_t import_count, export_count;
    wpy_extern *memory; /* the memory, imported or defined, or NULL; points into `spaces` */
    wpy_extern *spaces; /* the index spaces of tables, memories and globals, in this order, with
                           the limits that the module declares */
    uint32_t table_count, global_count;
    uint8_t *arena;     /* the names and types that imports and exports point at */
    bool no_memory;     /* describe.c ran out of memory */
    int32_t start;      /* the index of the start function, or -1 */
    int32_t initialize; /* the index of a reactor's `_initialize`, or -1 */
};

/* Acquire and release the module's mutex. */
void wpy_module_lock(wpy_module *module);
void wpy_module_unlock(wpy_module *module);

/* ---- describe.c ---- */

/* Fills in imports, exports, spaces, start and initialize, which the module owns. False: out of
   memory (module->no_memory), or a malformed module. `bytes` are only read during the call. */
bool wpy_describe(wpy_module *module, const uint8_t *bytes, uint32_t size);

/* ---- instance.c, instantiate.c, imports.c ---- */

enum {
    WPY_ATTN_CLOSED = 1,
    WPY_ATTN_TIMED = 2,
    WPY_ATTN_CLOSE_PENDING = 4,
    WPY_ATTN_OUT_OF_ORDER = 8, /* a call ended before a call that began later: stack_switch.c */
    WPY_ATTN_ABANDONED = 16    /* a suspended segment was abandoned: suspended.c */
};

/* The fuel of an instance without a limit: 2^62 checks take centuries. */
#define WPY_FUEL_ENDLESS (INT64_MAX / 2)

typedef struct wpy_segment wpy_segment;
typedef struct wpy_shared_code wpy_shared_code;

/* Under the lock of its group, unless a field says otherwise. */
struct wpy_instance {
    wpy_object object;
    uint32_t attention;       /* atomic: WPY_ATTN_…, what calls must look at */
    uint32_t depth;           /* atomic to read: the calls that are open in it */
    uint64_t thread;          /* the serial of the thread whose native stack the exec_env knows */
    WASMModuleInstance *wamr; /* NULL: closed; it and env are cleared under the registry's lock */
    WASMExecEnv *env;
    wpy_module *module;
    uint64_t generation; /* atomic to read: counts its outermost calls */
    uint64_t stop_at;    /* atomic: the generation that is to be interrupted */
    int64_t fuel;        /* what is left, without the rest of the slice in the exec_env; written
                            under the registry's lock, too */
    int64_t fuel_given;  /* by wpy_instance_set_fuel, in all; see slices.c */
    bool fuel_counted;   /* there is a limit */
    int32_t status;      /* enum wpy_status of the exception that unwinds, see backtrace.c */
    int32_t status_code;
    wpy_exception *exception; /* what code has thrown, while it unwinds; NULL: nothing, or a trap */
    uint64_t timeout_ns;
    uint64_t instance_id;
    wpy_func ***funcs; /* by function index, in pieces; both are made on demand, and written under
                          the registry's lock */
    uint32_t func_count;
    uint32_t ref_base;          /* the reference of its function 0, see refs.c */
    const wpy_imports *imports; /* borrowed, while it is instantiated */
    wpy_func **imported;        /* for each function import; NULL: WASI's own */
    bool calls_python_only;     /* all its function imports are host functions */
    WASMFunctionImport *import_structs;
    wpy_shared_code *shared; /* a reference, or NULL: WAMR's arrays are its own */
    wpy_snapshot *snapshot;  /* what it was made of: a reference while it is open; or NULL */
    void (*leave_snapshot)(wpy_snapshot *snapshot); /* gives the reference back */
    wpy_memory *memory;                             /* of the group, as are tables and globals */
    wpy_table **tables;
    wpy_global **globals;
    wpy_tag **tags;
    uint32_t tag_count;
    wpy_wasi *wasi;           /* a reference */
    wpy_budget *budget;       /* a reference */
    uint64_t inline_elements; /* of its tables that are in WAMR's block, charged to the budget */
    wpy_segment *suspended;   /* the uppermost of its suspended segments, see suspended.c; written
                                 under the registry's lock, too */
    uint32_t interrupts;      /* atomic: how often it was interrupted */
    uint64_t extended_us;     /* atomic: by how much timeouts were extended, in all; may wrap */
    uint8_t *reserved_top;    /* WPY_ATTN_OUT_OF_ORDER: the wasm stack below this address is not
                                 used again while a call is open in the instance */
    bool linked;              /* the link hook has run */
    bool instantiating;       /* inside WAMR's instantiation */
    bool kept_after_failure;  /* instantiation failed when its functions could already be in other
                                 instances' tables: it lives as long as its group */
};

/* Closes an instance in which no call is open: WAMR's part is freed, what the group shares stays.
   Under the group's lock, or when the group dies. */
void wpy_instance_close_now(wpy_instance *instance);

/* Another way to make an instance: instead of WAMR, `make` fills in the instance, whose list of
   imported functions is there; a status, with an error record of the module. */
typedef struct wpy_maker {
    int (*make)(wpy_instance *instance, const wpy_imports *imports, struct wpy_maker *maker);
    bool may_hold;      /* no call of this thread is open in the group */
    const void *holder; /* set by `make`: what has the group's lock afterwards; or NULL */
} wpy_maker;

/* As wpy_instance_new, with a maker or NULL. */
int wpy_instance_make(wpy_module *module, const wpy_imports *imports, wpy_maker *maker,
                      wpy_instance **out);

/* Hooks of the patched WAMR, under the lock of the instance's group. The first links the imports
   before segments are written and code runs; false: `error` says why. The second runs before WAMR
   frees an instance; true: WAMR must not. */
bool wpy_link_hook(WASMModuleInstanceCommon *wamr, char *error, uint32_t error_size);
bool wpy_unlink_hook(WASMModuleInstanceCommon *wamr);

/* What an instance does with its WASI configuration. wasi/ defines them, so that instances know
   nothing of WASI. */
typedef struct wpy_wasi_ops {
    bool (*link)(wpy_wasi *wasi, wpy_instance *instance, char *error, uint32_t size);
    void (*release)(wpy_wasi *wasi);
    /* Whether the program has no other descriptors than it began with; `why` as for
       wpy_snapshot_new. */
    bool (*at_rest)(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size);
    /* The guest paths of the directories, with a 0 behind each; the caller frees them. NULL: out of
       memory. */
    char *(*preopens)(const wpy_wasi *wasi, uint32_t *size);
    /* The standard stream that has this descriptor of the host, and the reverse; -1: none. */
    int (*guest_stream)(const wpy_wasi *wasi, int descriptor);
    int (*host_stream)(const wpy_wasi *wasi, int stream);
    /* Closes what the program has opened; false: as at_rest. */
    bool (*reset)(const wpy_wasi *wasi, wpy_instance *instance, char *why, uint32_t size);
} wpy_wasi_ops;

/* The head of every wpy_wasi. */
typedef struct wpy_wasi_head {
    const wpy_wasi_ops *ops;
    uint32_t refs; /* atomic */
} wpy_wasi_head;

static inline const wpy_wasi_ops *
wpy_wasi_ops_of(wpy_wasi *wasi)
{
    return ((wpy_wasi_head *)wasi)->ops;
}

/* NULL: an instance of the C API. */
static ALWAYS_INLINE wpy_instance *
wpy_instance_of(WASMExecEnv *env)
{
    return (wpy_instance *)((WASMModuleInstance *)env->module_inst)->custom_data;
}

/* ---- suspended.c ---- */

void wpy_forget_suspended(wpy_instance *instance);
void wpy_reset_stack(wpy_instance *instance);

/* ---- func.c, callbacks.c ---- */

/* Calls Python. Argument cells in, result cells out. False: the instance has an exception. */
typedef bool (*wpy_dispatcher)(WASMExecEnv *env, wpy_func *func, const uint32_t *args,
                               uint32_t *results);

struct wpy_func {
    wpy_object object;
    /* a function of an instance: */
    wpy_instance *instance; /* NULL: a host function */
    WASMFunctionInstance *wamr;
    /* every function: */
    uint16_t param_cells, result_cells;
    WASMFuncType *type;
    uint32_t index;      /* in its instance, or the id of a host function */
    uint32_t ref;        /* a host function's reference */
    uint64_t store_id;   /* a host function's: equal to another one's, or not */
    void *python_object; /* borrowed: see include/now.h */
    /* what an import's slot or another instance's table points at: */
    wpy_dispatcher dispatch; /* NULL: a function of an instance */
    WASMFunctionImport import_struct;
    WASMFunctionInstance proxy;
};

static inline bool
wpy_same_type(const WASMFuncType *a, const WASMFuncType *b)
{
    return a == b || (a->param_count == b->param_count && a->result_count == b->result_count &&
                      !memcmp(a->types, b->types, (size_t)a->param_count + a->result_count));
}

/* Whether there are references among the parameters and results: the value types below V128. */
static inline bool
wpy_type_has_references(const WASMFuncType *type)
{
    uint32_t i;

    for (i = 0; i < (uint32_t)type->param_count + type->result_count; i++)
        if (type->types[i] < VALUE_TYPE_V128)
            return true;
    return false;
}

/* The functions of an instance are in pieces of 64, since few of them are ever asked for. */
#define WPY_PIECE_BITS 6
#define WPY_PIECE (1u << WPY_PIECE_BITS)

static inline uint32_t
wpy_pieces_for(uint32_t functions)
{
    return (functions >> WPY_PIECE_BITS) + 1;
}

/* The pieces of a list of `count` functions; those of a short list are one block with their
   pointer. NULL: out of memory. */
static inline wpy_func ***
wpy_funcs_new(uint32_t count)
{
    uint32_t pieces = wpy_pieces_for(count);
    wpy_func ***funcs = calloc(pieces == 1 ? count + 1 : pieces, sizeof *funcs);

    if (funcs && pieces == 1)
        funcs[0] = (wpy_func **)(funcs + 1);
    return funcs;
}

static inline void
wpy_funcs_free(wpy_func ***funcs, uint32_t count)
{
    uint32_t pieces = wpy_pieces_for(count), i;

    for (i = 0; funcs && pieces > 1 && i < pieces; i++)
        free(funcs[i]);
    free(funcs);
}

/* Fills in what follows from the type, which is borrowed. */
void wpy_func_init(wpy_func *func, WASMFuncType *type);
/* The interpreter's call of an import that the link hook has bound. False: the instance has an
   exception. */
bool wpy_call_hook(WASMExecEnv *env, WASMFunctionInstance *current, uint32_t *args,
                   uint32_t *results);

/* ---- refs.c ---- */

/* Allocate and free the references of an instance's functions, and of a host function, which gets
   its id at the same time. False: out of references or memory. */
bool wpy_refs_allocate(wpy_instance *instance);
void wpy_refs_free(wpy_instance *instance);
bool wpy_refs_allocate_host(wpy_func *func);
void wpy_refs_free_host(wpy_func *func);
/* The interpreter's call_indirect of a reference that is not the instance's own. NULL: no such
   function, or one of another type. */
WASMFunctionInstance *wpy_foreign_hook(WASMModuleInstance *from, uint32_t ref,
                                       WASMFuncType *expected);

/* ---- memory.c ---- */

struct wpy_memory {
    wpy_object object;
    WASMMemoryInstance wamr;
    uint32_t declared_max;
    bool has_max;
    bool host;      /* made by the host, which is one of the users */
    uint32_t users; /* open instances that have it, and the host; under the registry's lock */
    uint32_t pins;  /* views of its bytes; under the registry's lock */
};

/* Moves the memory that an instance defines out of WAMR's block, with that instance as its user. It
   is in no group yet: the caller owns it. NULL: no room. */
wpy_memory *wpy_memory_from_wamr(WASMMemoryInstance *defined, const wpy_extern *limits);
void wpy_memory_remove_user(wpy_memory *memory);

/* ---- table.c ---- */

struct wpy_table {
    wpy_object object;
    wpy_budget *budget; /* a reference */
    WASMTableInstance *wamr;
    size_t mapped; /* bytes, of the maximal size unless WPY_FEW_ADDRESSES */
    uint32_t declared_max;
    bool has_max;
    uint8_t element;
};

/* A table of null references, mapped at its maximal size. It is in no group yet: the caller owns
   it. NULL: no room, or beyond the budget. */
wpy_table *wpy_table_map(uint8_t element, uint32_t min, uint32_t max, bool has_max,
                         wpy_budget *budget);
/* The interpreter's table.grow, within the maximum. False: beyond the budget, or no room. */
bool wpy_enlarge_hook(WASMModuleInstance *wamr, WASMTableInstance *table, uint32_t delta);

/* ---- global.c ---- */

struct wpy_global {
    wpy_object object;
    uint8_t content;
    bool mutable_;
    uint64_t cell[2];
};

/* ---- backtrace.c ---- */

/* Sets an exception of the instance that comes out with this status. Under its group's lock. */
void wpy_set_exception(WASMModuleInstance *wamr, int status, int code, const char *text);
/* Moves the exception of `from` to the instance `to`, which called it; the two may be the same. */
void wpy_propagate_exception(wpy_instance *from, WASMModuleInstance *to);
/* Turns the exception of the instance into an error record of `owner`; its status. */
COLD int wpy_record_exception(wpy_instance *instance, const void *owner);
/* Adds an error record to this thread; `frames`: with the frames that it has recorded. */
COLD void wpy_push_error(const void *owner, int status, int code, const char *text, bool frames);
/* The interpreter leaves a call with an exception, and the frames are still there. False: they are
   to stay, since the call is suspended. */
bool wpy_trapped_hook(WASMExecEnv *env);

/* ---- offsets.c ---- */

/* The loader has reached an instruction of a function (its position in the code section). */
void wpy_trace_hook(uint32 function, const uint8 *at, uint32 compiled);

/* ---- checkpoint.c ---- */

/* Whether the code may go on; false: the instance has an exception. `back`: see WamrPyHooks. */
bool wpy_checkpoint_hook(WASMExecEnv *env, int32 back);
/* The same for a function of WASI that waits. `woken`: by a signal. Costs no fuel. */
bool wpy_wait_check(WASMExecEnv *env, bool woken);

#endif
