/* wpy.h: the functions of our C that Python calls. It contains nothing of WAMR.
 *
 * The part between the two marks is read by the C compiler and by cffi (build_ffi.py). All types
 * are opaque, and a pointer to one is a handle. Each function is under the name of the file that
 * defines it, which has its contract.
 *
 * Ownership: a function named `…_new`, or said to return a handle, adds a handle for its caller,
 * who gives it back with wpy_release. Objects that are linked to each other form a group
 * (core/group.c): they share a lock, and are freed together when the last handle on any of them is
 * given back. Modules, WASI configurations and budgets have reference counts and `…_release`
 * functions of their own. All other pointers are borrowed.
 *
 * The GIL: cffi releases it around every function here; cpython/ keeps it for those that never
 * wait. A function that waits for a group's lock returns WPY_BUSY after 50 ms. Python then runs its
 * signal handlers and calls it again.
 */
#ifndef WPY_H
#define WPY_H

#include <stdbool.h>
#include <stdint.h>

#define WPY_NO_SLICE UINT64_MAX /* of wpy_execution_start and wpy_resumption */

/* cdef begin */

/* Why a call returned no result. */
enum wpy_status {
    WPY_OK,
    WPY_TRAP,     /* the text says why */
    WPY_HOST,     /* Python keeps an exception of this thread under the number in `code` */
    WPY_RANGE,    /* no such element */
    WPY_BUSY,     /* another thread has the group's lock: call again */
    WPY_DEADLOCK, /* the thread would wait for itself */
    WPY_CLOSED,
    WPY_TIMEOUT,
    WPY_INTERRUPTED,
    WPY_FUEL,
    WPY_EXIT, /* proc_exit; `code` is its argument */
    WPY_LINK, /* instantiation only */
    WPY_NO_MEMORY,
    WPY_FORKED,       /* in the child of a fork: a thread of the parent had the group's lock */
    WPY_OUT_OF_ORDER, /* a host function returned before a call that began later in the instance:
                         see runtime/stack_switch.c */
    WPY_EXCEPTION,    /* code threw an exception that no code has caught */
    WPY_SUSPENDED,    /* the call goes on later: see runtime/execution.c */
    WPY_RUNS_ALREADY, /* the execution runs, or has ended */
    WPY_NOT_LAST,     /* an execution that was suspended later in an instance goes on first */
    WPY_HELD,         /* a suspended execution keeps the group's lock */
    WPY_REFUSED       /* wpy_snapshot_new and others: the text says why */
};

/* The number of a Python exception that could not be stored. Others have lower numbers. */
enum { WPY_EXCEPTION_LOST = -1 };
/* wpy_py_wasi_read: no data yet. */
enum { WPY_WOULD_BLOCK = 0x7fffffff };
/* wpy_snapshot_new: without the memory. */
enum { WPY_NO_IMAGE = 0x7fffffff };
/* A host function suspends the call; the number of no exception. */
enum { WPY_SUSPENDS = 1 };
/* Why an execution was suspended. */
enum wpy_reason {
    WPY_REASON_CALL,  /* by a host function */
    WPY_REASON_READ,  /* there is nothing to read yet */
    WPY_REASON_WRITE, /* nothing can be written yet */
    WPY_REASON_SLEEP,
    WPY_REASON_SLICE /* its slice is over */
};

typedef struct wpy_module wpy_module;
typedef struct wpy_instance wpy_instance;
typedef struct wpy_func wpy_func;
typedef struct wpy_memory wpy_memory;
typedef struct wpy_table wpy_table;
typedef struct wpy_global wpy_global;
typedef struct wpy_tag wpy_tag;
typedef struct wpy_exception wpy_exception;
typedef struct wpy_wasi wpy_wasi;
typedef struct wpy_budget wpy_budget;
typedef struct wpy_execution wpy_execution;
typedef struct wpy_snapshot wpy_snapshot;
typedef struct wpy_image wpy_image;

/* What a suspended execution waits for: a descriptor of the host. */
typedef struct {
    int32_t fd;
    bool output;
} wpy_descriptor;

/* Why an execution was suspended. Pointers are borrowed, until it is resumed. */
typedef struct {
    int32_t reason;       /* enum wpy_reason */
    uint32_t host_id;     /* of a call */
    const uint32_t *args; /* of a call, in cells; each exnref has a handle on its exception */
    uint64_t until;       /* when the wait ends, on the scale of wpy_now; UINT64_MAX: never */
    const wpy_descriptor *descriptors; /* to wait for; none: for a stream of Python */
    uint32_t descriptor_count;
    uint64_t instance_id; /* the instance whose code was suspended */
    int64_t slice_fuel;   /* see wpy_resumption */
} wpy_stop;

enum wpy_execution_state { WPY_NEW, WPY_RUNNING, WPY_STOPPED, WPY_ENDED };

/* How an execution goes on, see wpy_execution_resume. */
typedef struct {
    int32_t status, number;
    wpy_exception *exception; /* that code may catch instead; or NULL */
    const uint32_t *answer;
    uint32_t answer_count;
    uint64_t timeout_ns, slice_ns; /* 0: no timeout; WPY_NO_SLICE */
    int64_t slice_fuel;            /* 0: any amount */
} wpy_resumption;

/* What wpy_take_error fills in. */
typedef struct {
    int32_t status;           /* enum wpy_status; WPY_OK: there was no error */
    int32_t code;             /* an exit code or a number, depending on the status */
    uint32_t frames;          /* how many frames wpy_take_frames returns */
    wpy_exception *exception; /* WPY_EXCEPTION: what was thrown, a handle */
    char text[256];
} wpy_error;

typedef struct {
    uint64_t instance_id; /* see wpy_imports */
    uint32_t function;    /* its index */
    uint32_t compiled;    /* the position in the interpreter's code of it; 0: not known */
} wpy_frame;

/* Why there was no room for a memory or a table. */
enum wpy_refusal_reason {
    WPY_NOT_REFUSED,
    WPY_OVER_BUDGET,      /* beyond a limit of `budget` */
    WPY_NO_ADDRESS_SPACE, /* the system has no range of that size */
    WPY_NO_MAPPINGS,      /* the process has as many mappings as it may have */
    WPY_NO_BYTES,         /* the system refuses the memory itself */
    WPY_TOO_MANY_ELEMENTS /* more than any table can have */
};

/* What wpy_take_refusal fills in: bytes or elements. */
typedef struct {
    int32_t reason; /* enum wpy_refusal_reason */
    uint64_t wanted, used, limit;
    uintptr_t budget;
} wpy_refusal;

/* A position in the interpreter's code, and its offset in the bytes of the module. */
typedef struct {
    uint32_t function; /* by position in the code section */
    uint32_t compiled;
    uint32_t offset; /* UINT32_MAX: not known */
} wpy_location;

/* Flags of wpy_extern. */
enum { WPY_MUTABLE = 1, WPY_HAS_MAX = 2 };

/* An import or export, described from the module's own bytes. */
typedef struct {
    uint8_t kind;    /* as in the binary format: 0 function, 1 table, 2 memory, 3 global, 4 tag */
    uint8_t content; /* table: element type, global: value type; a byte of the binary format */
    uint8_t flags;   /* a global is WPY_MUTABLE; the limits WPY_HAS_MAX */
    uint32_t index;  /* in the index space of its kind */
    uint32_t min, max;
    const uint8_t *module, *name; /* UTF-8; module is NULL for an export */
    uint32_t module_size, name_size;
    const uint8_t *params, *results; /* value types, a byte each */
    uint32_t param_count, result_count;
} wpy_extern;

/* The imports and limits of a new instance. Arrays have one item for each import of their kind, in
   the module's order. All pointers are borrowed; the instance takes references of its own. */
typedef struct {
    wpy_func **funcs; /* NULL item: leave WASI's own function in place */
    wpy_memory *memory;
    wpy_table **tables;
    wpy_global **globals;
    wpy_tag **tags;
    wpy_wasi *wasi;        /* or NULL */
    uint64_t output_bytes; /* that WASI's stdout and stderr take; UINT64_MAX: no limit */
    uint64_t file_bytes;   /* that a WASI program may add to files; UINT64_MAX: no limit */
    wpy_budget *budget;    /* NULL: no limits of memories and tables */
    uint32_t stack_bytes;
    uint64_t timeout_ns;  /* of each call from Python; 0: none */
    int64_t fuel;         /* -1: no limit */
    uint64_t instance_id; /* chosen by Python; not 0 */
} wpy_imports;

/* What wpy_snapshot_instance and wpy_instance_reset fill in. */
typedef struct {
    wpy_instance *instance;   /* a handle, or NULL */
    wpy_execution *execution; /* the suspended call, which the caller owns, or NULL */
    char why[256];            /* of WPY_REFUSED: the reason, ": " and a sentence */
} wpy_made;

/* setup.c */
bool wpy_setup(void);
bool wpy_has_simd(void);

/* core/group.c */
void wpy_retain(void *object);
void wpy_release(void *object);
bool wpy_release_unless_last(void *object);
void wpy_release_or_defer(void *object);
void wpy_defer_releases(bool defer);
void wpy_defer_all_releases(void);

/* core/budget.c */
wpy_budget *wpy_budget_new(wpy_budget *parent, uint64_t memory_bytes, uint64_t table_elements);
void wpy_budget_release(wpy_budget *budget);
void wpy_take_refusal(wpy_refusal *out);

/* core/image.c */
wpy_image *wpy_image_new(uint64_t size, uint32_t keep);
bool wpy_image_write(wpy_image *image, uint64_t at, const uint8_t *bytes, uint64_t size);
bool wpy_image_seal(wpy_image *image);
void wpy_image_release(wpy_image *image);
bool wpy_image_next_run(const uint8_t *bytes, uint64_t size, uint64_t *start, uint64_t *end);
void wpy_debug_set_images(bool use_memfd, int way);

/* core/floating.c */
uint32_t wpy_f32_bits(double real);
double wpy_f32_value(uint32_t bits);

/* runtime/runtime.c */
bool wpy_runtime_start(void);
void wpy_runtime_stop(void);

/* runtime/module.c */
wpy_module *wpy_module_new(const uint8_t *bytes, uint32_t size, char *error, uint32_t error_size);
void wpy_module_release(wpy_module *module);
uint32_t wpy_module_imports(wpy_module *module, const wpy_extern **out);
uint32_t wpy_module_exports(wpy_module *module, const wpy_extern **out);
const char *wpy_module_function_name(wpy_module *module, uint32_t index);
bool wpy_module_starts(wpy_module *module);
bool wpy_module_import_is_wasi(wpy_module *module, uint32_t index);

/* runtime/offsets.c */
bool wpy_resolve_offsets(const uint8_t *bytes, uint32_t size, wpy_location *locations,
                         uint32_t count);

/* runtime/instantiate.c */
int wpy_instance_new(wpy_module *module, const wpy_imports *imports, wpy_instance **out);
wpy_instance *wpy_instance_new_without_imports(wpy_module *module, uint64_t instance_id,
                                               wpy_budget *budget, uint32_t stack_bytes,
                                               uint64_t timeout_ns, int64_t fuel);
int wpy_instance_start(wpy_instance *instance);

/* runtime/instance.c; the last three return a handle on an export, by its index */
int wpy_instance_close(wpy_instance *instance);
wpy_memory *wpy_instance_memory(wpy_instance *instance);
wpy_table *wpy_instance_table(wpy_instance *instance, uint32_t index);
wpy_global *wpy_instance_global(wpy_instance *instance, uint32_t index);

/* runtime/call.c */
int wpy_call_cells(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
                   const uint32_t *stop);
int wpy_call_cells_held(wpy_func *func, uint32_t *cells, uint64_t timeout_ns, int64_t fuel,
                        const uint32_t *stop);
int wpy_call_now(wpy_func *func, uint32_t *cells);

/* runtime/suspend.c, runtime/slices.c */
bool wpy_may_suspend(void);
bool wpy_in_execution(void);
void wpy_debug_set_slice(int32_t checks);

/* runtime/execution.c, runtime/resume.c */
wpy_execution *wpy_execution_new(wpy_func *func);
int wpy_execution_start(wpy_execution *execution, uint32_t *cells, uint64_t timeout_ns,
                        int64_t fuel, uint64_t slice_ns, int64_t slice_fuel, wpy_stop *stop);
int wpy_execution_resume(wpy_execution *execution, const wpy_resumption *how, uint32_t *cells,
                         wpy_stop *stop);
uint32_t wpy_execution_state(const wpy_execution *execution);
wpy_func *wpy_execution_func(const wpy_execution *execution);
bool wpy_execution_close(wpy_execution *execution);
void wpy_execution_free(wpy_execution *execution);

/* runtime/awaiting.c */
uintptr_t wpy_suspendable(void);
uintptr_t wpy_func_group(wpy_func *func);
bool wpy_func_is_entered(wpy_func *func);
bool wpy_execution_is_free(const wpy_execution *execution);
uint32_t wpy_execution_instances(const wpy_execution *execution, uint64_t *ids, uint32_t room);
bool wpy_execution_is_doomed(const wpy_execution *execution);

/* runtime/snapshot.c, runtime/snapshot_instance.c, runtime/snapshot_reset.c */
int wpy_snapshot_new(wpy_instance *instance, wpy_execution *execution, uint32_t keep,
                     wpy_snapshot **out, char *why);
void wpy_snapshot_close(wpy_snapshot *snapshot);
void wpy_snapshot_release(wpy_snapshot *snapshot);
bool wpy_snapshot_use(wpy_snapshot *snapshot);
void wpy_snapshot_unuse(wpy_snapshot *snapshot);
uint64_t wpy_snapshot_memory_bytes(const wpy_snapshot *snapshot);
uint64_t wpy_snapshot_image_bytes(const wpy_snapshot *snapshot);
uint32_t wpy_snapshot_alive(const wpy_snapshot *snapshot);
uint32_t wpy_snapshot_slots(const wpy_snapshot *snapshot);
int64_t wpy_snapshot_preopens(const wpy_snapshot *snapshot, const char **out);
bool wpy_snapshot_is_host(const wpy_snapshot *snapshot, uint32_t import);
const uint8_t *wpy_snapshot_bytes(const wpy_snapshot *snapshot);
void wpy_snapshot_imported_global(const wpy_snapshot *snapshot, uint32_t index, uint8_t *cell);
bool wpy_snapshot_has_memory(const wpy_snapshot *snapshot);
bool wpy_snapshot_suspended(const wpy_snapshot *snapshot);
int wpy_snapshot_instance(wpy_snapshot *snapshot, const wpy_imports *imports, wpy_made *out,
                          wpy_stop *stop);
wpy_instance *wpy_snapshot_instance_alone(wpy_snapshot *snapshot, uint64_t instance_id,
                                          wpy_budget *budget, uint32_t stack_bytes,
                                          uint64_t timeout_ns, int64_t fuel);
int wpy_instance_reset(wpy_instance *instance, wpy_snapshot *snapshot, wpy_made *out,
                       wpy_stop *stop);

/* runtime/snapshot_write.c, runtime/snapshot_read.c */
uint64_t wpy_snapshot_write(const wpy_snapshot *snapshot, uint8_t *bytes);
int wpy_snapshot_read(wpy_snapshot *snapshot, const uint8_t *bytes, uint64_t size, wpy_image *image,
                      bool trusted, char *why);

/* runtime/backtrace.c: `owner` is the function, instance or module that failed */
int wpy_take_error(const void *owner, wpy_error *out);
uint32_t wpy_take_frames(const void *owner, wpy_frame *out, uint32_t size);

/* runtime/activation.c */
const uint32_t *wpy_thread_set_stop(const uint32_t *stop);
uint64_t wpy_calling_instance_id(void);

/* runtime/checkpoint.c */
void wpy_instance_interrupt(wpy_instance *instance);
int64_t wpy_instance_fuel(wpy_instance *instance);
void wpy_instance_set_fuel(wpy_instance *instance, int64_t fuel);
void wpy_instance_set_timeout(wpy_instance *instance, uint64_t ns);
void wpy_instance_extend_timeout(wpy_instance *instance, uint64_t us);
uint64_t wpy_instance_extended(wpy_instance *instance);

/* runtime/func.c; the first two return a handle on an export */
wpy_func *wpy_instance_func(wpy_instance *instance, uint32_t index);
uintptr_t wpy_instance_func_address(wpy_instance *instance, uint32_t index);
bool wpy_func_bounded(wpy_func *func);
bool wpy_has_superinstructions(void);
uint32_t wpy_func_superinstructions(wpy_func *func);
uint64_t wpy_func_instance_id(wpy_func *func);
uint32_t wpy_func_index(wpy_func *func);
uint32_t wpy_func_host_id(wpy_func *func);
uint32_t wpy_func_type(wpy_func *func, uint8_t *kinds, uint32_t size, uint32_t *param_count);

/* runtime/callbacks.c */
wpy_func *wpy_host_func_new(const uint8_t *kinds, uint32_t param_count, uint32_t result_count,
                            bool by_cells, uint64_t store_id);

/* runtime/refs.c */
int wpy_retain_reference(void *object, uint32_t ref);
wpy_func *wpy_func_of_ref(uint32_t ref);
uint32_t wpy_func_ref(wpy_func *func);

/* runtime/tags.c */
wpy_tag *wpy_tag_new(const uint8_t *params, uint32_t count, wpy_budget *budget);
uint32_t wpy_tag_params(wpy_tag *tag, uint8_t *params, uint32_t room);
wpy_tag *wpy_instance_tag(wpy_instance *instance, uint32_t index);

/* runtime/exnrefs.c: the exception of a reference that wpy_call_cells_held returned */
wpy_exception *wpy_exception_held(uint32_t ref);

/* runtime/exception_handles.c; pointers to exceptions are handles */
wpy_exception *wpy_exnref_hold(void *object, uint32_t ref);
int wpy_exception_new(wpy_tag *tag, const uint32_t *cells, wpy_exception **out);
wpy_tag *wpy_exception_tag(wpy_exception *exception);
bool wpy_exception_numbered(wpy_exception *exception);
bool wpy_exception_has_objects(wpy_exception *exception);
const uint32_t *wpy_exception_cells(wpy_exception *exception);
int wpy_exception_ref(wpy_exception *exception, void *object, uint32_t *ref);

/* runtime/host_exceptions.c: the host function that fails next in this thread, with a Python
 * exception of that number, throws the exception, which the Python exception keeps, into code of
 * that store
 */
void wpy_exception_throw(wpy_exception *exception, uint64_t store_id, int number);

/* runtime/externrefs.c */
uint64_t wpy_group_id(void *object);
int wpy_mark_externrefs(void *object, uint8_t *marks, uint32_t count);

/* runtime/memory.c */
wpy_memory *wpy_memory_new(uint32_t min, uint32_t max, bool has_max, wpy_budget *budget);
uint8_t *wpy_memory_data(wpy_memory *memory);
uint64_t wpy_memory_size(wpy_memory *memory);
uint32_t wpy_memory_pages(wpy_memory *memory);
uint32_t wpy_memory_max(wpy_memory *memory, bool *has_max);
int wpy_memory_grow(wpy_memory *memory, uint32_t delta, uint32_t *old_pages);
void wpy_memory_pin(wpy_memory *memory);
void wpy_memory_unpin(wpy_memory *memory);
bool wpy_memory_closed(wpy_memory *memory);
void wpy_memory_close(wpy_memory *memory);

/* runtime/table.c: elements are references; 0xFFFFFFFF is null */
wpy_table *wpy_table_new(uint8_t element, uint32_t min, uint32_t max, bool has_max,
                         wpy_budget *budget);
uint32_t wpy_table_size(wpy_table *table);
uint32_t wpy_table_max(wpy_table *table, bool *has_max);
int wpy_table_get(wpy_table *table, uint32_t index, uint32_t *out);
int wpy_table_set(wpy_table *table, uint32_t index, uint32_t ref);
int wpy_table_grow(wpy_table *table, uint32_t delta, uint32_t init, uint32_t *old_size);

/* runtime/global.c: a value is the cells of its type, in 16 bytes */
wpy_global *wpy_global_new(uint8_t content, bool mutable_, const void *cells);
int wpy_global_get(wpy_global *global, void *cells);
int wpy_global_set(wpy_global *global, const void *cells);

/* wasi/config.c: an int is an errno; wpy_py_wasi_read and _write get the streams_id */
wpy_wasi *wpy_wasi_new(const char *const *argv, uint32_t argc, const char *const *env,
                       uint32_t env_count, uint64_t streams_id);
int wpy_wasi_stdio(wpy_wasi *wasi, int fd, int descriptor);
int wpy_wasi_dir(wpy_wasi *wasi, const char *guest, const char *host, bool writable);
void wpy_wasi_release(wpy_wasi *wasi);
const char *wpy_wasi_signature(const char *name);

/* cdef end */

#endif
