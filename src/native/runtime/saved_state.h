/* saved_state.h: the state of an instance, of which other instances are made.
 *
 *   snapshot.c             taking a snapshot
 *   snapshot_refusals.c    what a snapshot can't be taken of
 *   snapshot_frames.c      the frames of a suspended call
 *   snapshot_instance.c    making instances
 *   snapshot_reset.c       resetting an instance in place
 *   snapshot_write.c       the state as bytes, for files
 *   snapshot_read.c        and back
 *
 * A snapshot doesn't change after it was taken. It has no references to the instance, to its group
 * or to other instances: function references are indices in it, and pointers are offsets.
 */
#ifndef WPY_SAVED_STATE_H
#define WPY_SAVED_STATE_H

#include "runtime/exception_types.h"
#include "runtime/segments.h"
#include "runtime/shared_code.h"

/* The elements of a table. */
typedef struct {
    uint32_t offset; /* in WAMR's block; 0: the table is mapped */
    uint32_t size;
    uint32_t *elements; /* function indices, or WPY_NULL_REF; owned */
    uint8_t header[offsetof(WASMTableInstance, elems)];
} wpy_saved_table;

/* The frames of a suspended call, and how it goes on. Offsets are from the bottom of the stack. */
typedef struct {
    uint8_t *stack;     /* owned; its pointers are as they were at `was` */
    const uint8_t *was; /* where the stack was */
    uint32_t size;
    uint32_t entry, at; /* offsets of frames */
    uint32_t func;      /* the index of the function that was called */
    uint32_t reason;    /* enum wpy_reason */
    uint32_t host;      /* of a call: the index of the imported function */
    bool fresh;         /* see wpy_execution, as for `slice_fuel` and `owed` */
    uint64_t sleeps;    /* ns that are left until it wants to go on; UINT64_MAX: for ever */
    uint64_t called_ago;
    int64_t fuel_left, slice_fuel, owed;
    uint32_t *args; /* owned */
    uint32_t arg_count;
    wpy_descriptor *descriptors; /* `fd` is the guest's; owned */
    uint32_t descriptor_count;
} wpy_saved_frames;

struct wpy_snapshot {
    uint32_t handles; /* atomic: Python's, and one of all `users`. The last frees the struct */
    uint32_t users;   /* atomic: instances, Python until it closes it, and who uses it now. The last
                         frees the contents */
    uint32_t alive;   /* atomic: instances of it that are not closed */
    wpy_module *module;        /* a reference */
    wpy_shared_code *shared;   /* a reference */
    WASMModuleInstance *block; /* the beginning of WAMR's block, `head` bytes; owned */
    uint32_t head, block_size;
    uint32_t globals_at; /* the offset of the data of globals */
    uint32_t func_count, global_count, table_count, tag_count;
    WASMModuleInstanceExtra extra;
    wpy_saved_table *tables;
    WASMTagInstance *tags; /* owned */
    uint64_t (*cells)[2];  /* of exported and imported globals; NULL: there are none */
    bool own_globals;      /* an exported one is mutable: each instance needs its own array */
    bool has_memory, has_max;
    uint32_t declared_max;
    WASMMemoryInstance memory;
    wpy_image *image; /* a reference */
    bh_bitmap *data_dropped, *elem_dropped;
    uint32_t stack_bytes;
    bool *host_imports; /* for each imported function, whether it is a host function's */
    bool has_wasi;
    char *preopens; /* the guest paths of directories, with a 0 behind each; owned */
    uint32_t preopens_size;
    wpy_saved_frames *frames; /* NULL: it was taken between calls */
};

/* The room for why a snapshot is refused: its reason, ": " and a sentence. */
#define WPY_REFUSAL 256

/* ---- snapshot_refusals.c ---- */

/* Whether a snapshot of the instance can be taken, with this suspended execution, or with none.
   Under the lock of its group. */
bool wpy_can_snapshot(wpy_instance *instance, const wpy_execution *execution, char *why);

/* Whether the instance can be reset. Closes the files that the program has opened. */
bool wpy_can_reset(wpy_instance *instance, char *why);

/* ---- snapshot.c ---- */

/* The instance was made of the snapshot. */
void wpy_join_snapshot(wpy_instance *instance, wpy_snapshot *snapshot);

/* ---- snapshot_frames.c ---- */

/* The frames of an execution that wpy_can_snapshot allows; NULL: out of memory. */
wpy_saved_frames *wpy_save_frames(wpy_instance *instance, const wpy_execution *execution);
void wpy_saved_frames_free(wpy_saved_frames *frames);
/* Puts the frames onto the stack of a new instance, which is empty. Returns the execution, which
   is suspended and doesn't hold the group's lock; NULL: out of memory. */
wpy_execution *wpy_restore_frames(const wpy_snapshot *snapshot, wpy_instance *instance);

/* ---- snapshot_instance.c ---- */

/* Write the state of tables and globals into an instance. */
void wpy_restore_table(const wpy_saved_table *saved, WASMTableInstance *table, uint32_t ref_base);
void wpy_restore_function_globals(const wpy_snapshot *snapshot, WASMModuleInstance *wamr);

#endif
