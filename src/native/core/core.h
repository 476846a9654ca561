/* core.h: threads, groups of objects and their locks, budgets and regions of memory.
 *
 * The core uses no instances, functions or calls. What a group does with an object is in the
 * object's wpy_object_ops, and what stops the calls of a thread is behind wpy_check_stop_hook;
 * runtime/ defines both.
 */
#ifndef WPY_CORE_H
#define WPY_CORE_H

#include "compiler.h"
#include "core/lock_order.h"
#include "include/wpy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_api_vmcore.h"
#include "platform_api_extension.h"
#include "wasm_export.h"

#define WPY_PAGE 65536u /* of a linear memory */

/* ---- group.c ---- */

typedef struct wpy_group wpy_group;
typedef struct wpy_exception_heap wpy_exception_heap;
typedef struct wpy_object wpy_object;
typedef struct wpy_thread wpy_thread;

/* What a group does with its objects, by their type. Also the identity of the type. */
typedef struct wpy_object_ops {
    /* Ends the object's use of other objects of the group, all of which still exist. Under the
       group's lock, or when the group is freed. NULL: it uses none. */
    void (*close)(wpy_object *object);
    /* Whether close() is due and no call is open in the object. NULL: never. */
    bool (*close_pending)(const wpy_object *object);
    void (*free)(wpy_object *object);
    /* For an object without a group: the object of a group that has one handle more as long as this
       one has handles. Called under the registry's lock. NULL: the last handle calls `free`. */
    wpy_object *(*keeper)(const wpy_object *object);
} wpy_object_ops;

/* The head of every struct that Python has handles on, except modules, WASI configurations and
   budgets. */
struct wpy_object {
    wpy_group *group; /* atomic; NULL: a host function or an exception, which have own counts */
    union {
        wpy_object *next; /* in the group's list */
        uint32_t refs;    /* without a group; atomic, changed under the registry's lock */
    };
    const wpy_object_ops *ops;
};

struct wpy_group {
    uintptr_t owner; /* atomic: the wpy_thread that has the lock, bit 0: a thread waits; 0: free;
                        with bit 2 an object that keeps the lock, see wpy_group_hold */
    korp_mutex mutex;
    korp_cond cond;
    wpy_thread *sleepers; /* those that wait, under `mutex`; the one that waits longest first */
    uint32_t recursion;   /* the owner's: how many calls more than one it has open in the group */
    bool orphaned;        /* the owner is a thread of the parent process of this fork */
    /* under the registry's lock: */
    wpy_group *next_group, **link_group; /* in the list of all groups */
    uint32_t handles;
    wpy_object *objects;   /* the head is atomic: the owner of the lock may walk the list, too */
    wpy_group *merged;     /* the list, by this field, of groups that were merged into this one */
    bool close_pending;    /* atomic: the close of an object is pending */
    wpy_object **retained; /* a hash set of host functions, see retain.c */
    uint32_t retained_count, retained_room;
    wpy_exception_heap *exceptions; /* a list; under the group's lock */
};

typedef struct wpy_exnref_page wpy_exnref_page;

/* The exceptions of a group, see runtime/exceptions.c. A merged group has several heaps, since an
   exception stays in its heap. */
struct wpy_exception_heap {
    wpy_object object;
    wpy_exception_heap *next; /* of the group's */
    wpy_exception *first;
    uint32_t count, limit;  /* at `limit` exceptions a collection is due */
    wpy_exnref_page *pages; /* those with a free number */
};

/* Returns an empty group without handles, or NULL: out of memory. */
wpy_group *wpy_group_new(void);
/* Frees the group and all its objects. No handles and no locks may be left. */
void wpy_group_free(wpy_group *group);
/* Puts `object` into `group`, which owns it from now on, with one handle for the caller. */
void wpy_group_add(wpy_group *group, wpy_object *object, const wpy_object_ops *ops);
/* Frees those objects of a group for which belongs(object, oldest) is true, among those that were
   added since `oldest`, and `oldest` itself. No other thread has seen them. Gives back the one
   handle on them, which is not the last one of the group. */
void wpy_group_discard(wpy_object *oldest,
                       bool (*belongs)(const wpy_object *object, const wpy_object *oldest));
/* Merges the groups of two objects; a status. Waits for their locks, so not with the GIL. */
int wpy_group_merge(wpy_object *a, wpy_object *b);
/* In the child of a fork, under the registry's lock. */
void wpy_groups_reset_after_fork(void);

/* ---- lock.c ---- */

/* The slow path of wpy_enter: waits up to 50 ms for the lock of the object's group, which this
   thread doesn't have; a status. */
COLD int wpy_group_wait(wpy_object *object, wpy_thread *me);
/* The lock was released while a thread waited for it: wakes that thread. */
COLD void wpy_group_wake(wpy_group *group);
/* Acquire the lock of the object's group for work that takes no time, unless this thread has it.
   *acquired: this call has acquired it, and wpy_group_leave releases it. The first function waits,
   so not with the GIL, and returns a status. The second never waits: false if another thread has
   the lock. */
int wpy_group_enter(wpy_object *object, bool *acquired);
bool wpy_group_enter_now(wpy_object *object, bool *acquired);
void wpy_group_leave(wpy_object *object, bool acquired);
/* Acquires the locks of the groups of two objects; a status. Waits, so not with the GIL. */
int wpy_group_enter_both(wpy_object *a, wpy_object *b, bool *acquired_a, bool *acquired_b);
void wpy_group_unlock(wpy_group *group);
/* Passes the lock of this thread, which has no call open in the group, to an object, and back to
   this thread. Meanwhile who waits for the lock gets WPY_HELD. `holder` is aligned to 8 bytes. */
void wpy_group_hold(wpy_group *group, const void *holder);
void wpy_group_take_over(wpy_group *group, const void *holder);
/* Closes the objects of the group whose close is pending, as soon as no thread has the lock. */
void wpy_group_close_pending(wpy_object *object);
/* In the child of a fork, under the registry's lock. */
void wpy_group_reset_after_fork(wpy_group *group);
void wpy_waiting_reset_after_fork(void);

/* Returns WPY_INTERRUPTED or WPY_TIMEOUT if the calls that a thread has open must end, else WPY_OK.
   Set by setup.c, so that a thread can stop waiting for a lock although the core knows no calls. */
extern int (*wpy_check_stop_hook)(const wpy_thread *me, uint64_t now);

/* ---- retain.c ---- */

/* The group keeps the host function alive from now on. False: out of memory. */
bool wpy_group_retain_host_func(wpy_group *group, wpy_object *host_func);
/* Moves what `from` retains to `into`. Under the registry's lock. */
void wpy_group_move_retained(wpy_group *into, wpy_group *from);

/* ---- thread.c ---- */

#define WPY_ERROR_RECORDS 8
#define WPY_ERROR_TEXT 192 /* WAMR's exceptions, and errors with their prefix, are no longer */

/* An error that Python has not taken yet, see runtime/backtrace.c. */
typedef struct wpy_error_record {
    const void *owner; /* the function, instance or module that failed: wpy_take_error's argument */
    int32_t status, code;
    uint32_t frame_count;
    wpy_frame *frames;        /* owned */
    wpy_exception *exception; /* WPY_EXCEPTION: a handle on the exception; otherwise NULL */
    void (*release)(void *);  /* releases the handle */
    char text[WPY_ERROR_TEXT];
} wpy_error_record;

/* Frees what an error record owns. */
static inline void
wpy_error_record_clear(wpy_error_record *record)
{
    free(record->frames);
    if (record->exception)
        record->release(record->exception);
}

/* What a thread has of its own. */
struct wpy_thread {
    /* The innermost open call, see runtime/activation.h. The three low bits of a thread's address
       are free for the word that holds the owner of a group (lock.c); i386 aligns to 4 bytes. */
    ALIGNED_8 struct wpy_activation *top;
    wpy_execution *executions; /* those that run in this thread, see runtime/suspend.c */
    uint64_t serial;           /* 0: it has not entered an instance yet */
    const uint32_t *stop; /* atomic, borrowed: not 0: the calls of this thread must end; NULL: there
                             is no such flag */
    uint32_t interruptions; /* the wpy_interruptions that its calls have looked at */
    uint32_t returns;       /* of host functions while it has a stop flag; may wrap */
    wpy_group *waits_for;   /* under the registry's lock */
    struct wpy_thread *next_waiting;
    uint64_t signals_checked_at;
    uint32_t frame_count, frame_room;
    wpy_frame *frames;     /* of the exception that unwinds, innermost first; owned */
    wpy_exception *thrown; /* borrowed: thrown by the host function that fails with this number */
    uint64_t thrown_store_id;
    int thrown_number;
    bool host_suspends; /* the host function that ends has returned SUSPEND */
    uint32_t record_count;
    wpy_error_record records[WPY_ERROR_RECORDS]; /* oldest first */
    const wpy_group *sleeps_for; /* the lock that it waits for, or did before; may dangle */
    uint64_t sleeps_since;
    struct wpy_thread *next_sleeper; /* under the group's mutex */
#if defined(WPY_CHECKED)
    uint32_t locks; /* those of lock_order.h that it has */
#endif
};

extern THREAD_LOCAL wpy_thread wpy_self;
/* How often this process and its parents were forked. Written in the child, which has one thread.
 */
extern uint32_t wpy_forks;

bool wpy_threads_setup(void);
/* Gives the thread its serial. Once, before it enters an instance. */
void wpy_thread_begin(wpy_thread *me);
void wpy_registry_lock(void);
void wpy_registry_unlock(void);
uint64_t wpy_now(void); /* ns, monotonic */

/* ---- budget.c: a budget of NULL means no limits ---- */

typedef enum { WPY_MEMORY_BYTES, WPY_TABLE_ELEMENTS } wpy_resource;

wpy_budget *wpy_budget_retain(wpy_budget *budget);
/* Charges the budget and its parents. False: a limit would be exceeded, and nothing is charged. */
bool wpy_budget_charge(wpy_budget *budget, wpy_resource resource, uint64_t amount);
void wpy_budget_refund(wpy_budget *budget, wpy_resource resource, uint64_t amount);
/* The store's budget, which the budget is or is a descendant of; NULL of NULL. */
wpy_budget *wpy_budget_root(wpy_budget *budget);
/* Set and clear this thread's refusal, which wpy_take_refusal returns. */
void wpy_set_refusal(int reason, uint64_t wanted, uint64_t limit);
void wpy_clear_refusal(void);

/* ---- mappings.c ---- */

/* Once per process, before the first region. */
void wpy_mappings_setup(void);
/* False: with `count` more there would be more than wpy_most_mappings, and none is taken. */
bool wpy_take_mappings(uint32_t count);
void wpy_return_mappings(uint32_t count);
extern uint32_t wpy_most_mappings; /* written by wpy_mappings_setup only */

/* ---- region.c ---- */

/* `size` bytes of zeros that can grow in place, charged to the budget. NULL: refused. */
void *wpy_region_alloc(uint64_t size, wpy_budget *budget);
/* `size` bytes of zeros that can't grow, charged to no budget. NULL: refused. */
void *wpy_region_alloc_exact(uint64_t size);
/* Makes a region larger, in place. False: refused (wpy_take_refusal). */
bool wpy_region_grow(void *base, uint64_t size);
void wpy_region_free(void *base);
/* malloc() for large blocks; free() frees them. */
void *wpy_malloc(size_t size);
/* Fills in WAMR's allocator. */
void wpy_set_allocator(MemAllocOption *option);

/* ---- wipe.c ---- */

/* Sets bytes to 0 that nobody reads any more: compilers leave out a memset() before free(). */
void wpy_wipe(void *bytes, size_t size);
/* free(), after all bytes of the block were set to 0; NULL is ignored. */
void wpy_wipe_and_free(void *block, size_t size);
#define WPY_SYSTEM_PAGE 4096u
/* The same as wpy_wipe for a large block that may be unused for the most part. It may set so many
   bytes more than `size` as there are in a page to 0, too. */
void wpy_wipe_sparse(uint8_t *bytes, size_t size);

/* ---- image.c: images of linear memories; pages have 4 KiB ---- */

/* A copy of the bytes, whose number is a multiple of WPY_PAGE. `keep`: the most freed regions that
   are kept for the next ones. A reference, or NULL: no room. */
wpy_image *wpy_image_of(const uint8_t *bytes, uint64_t size, uint32_t keep);
wpy_image *wpy_image_retain(wpy_image *image);
/* Sets how many freed regions are kept, and drops those that are too many. */
void wpy_image_keep(wpy_image *image, uint32_t keep);
uint64_t wpy_image_size(const wpy_image *image);
/* How many pages have other bytes than 0. */
uint64_t wpy_image_pages(const wpy_image *image);
const uint8_t *wpy_image_bytes(const wpy_image *image);
/* A region with the bytes of the image, charged to the budget; wpy_region_free frees it. NULL:
   refused. */
void *wpy_image_region(wpy_image *image, wpy_budget *budget);
/* Makes the bytes and the size of a region those of the image. The region began with as many bytes
   at least, and nothing may use it meanwhile. False: no room, and nothing is changed. */
bool wpy_image_reset(wpy_image *image, void *base);
/* How many freed regions are kept. */
uint32_t wpy_image_slots(const wpy_image *image);

/* The budget of the linear memory that this thread makes WAMR allocate next; borrowed. */
extern THREAD_LOCAL wpy_budget *wpy_region_budget;

#endif
