/* segments.h: calls that can be suspended, and their segments.
 *
 * execution.c starts and ends executions, resume.c resumes them, suspend.c and running.c suspend
 * them, slices.c when their slice is over; suspended.c has the lists of suspended segments.
 */
#ifndef WPY_SEGMENTS_H
#define WPY_SEGMENTS_H

#include "runtime/activation.h"

/* One call of an execution into an instance: code of one instance calls code of another one in a
   segment of its own, since each instance has a wasm stack. The frames of a suspended segment are
   on that stack, from `entry` to `top`. */
struct wpy_segment {
    wpy_segment *outer, *inner; /* of the execution */
    wpy_segment *below;         /* in the instance's list, while `listed` */
    wpy_func *func;             /* borrowed: the execution has a handle on its group */
    wpy_activation *activation; /* while it runs */
    WASMInterpFrame *entry;     /* its first frame */
    WASMInterpFrame *at; /* its last frame, since it called another segment or was suspended */
    uint8_t *top;        /* the end of its last frame */
    int64_t fuel_left;   /* of its own limit, while it is suspended; -1: no limit */
    uint32_t interrupts; /* of the instance, when it was suspended */
    bool listed;         /* under the registry's lock, as is `abandoned` */
    bool abandoned;      /* no execution has it: its frames go when they are uppermost */
    uint32_t cells[];    /* arguments, then results; none in the outermost segment */
};

struct wpy_execution {
    wpy_execution *next; /* in the thread's list, while it runs */
    wpy_func *func;      /* a handle */
    wpy_segment *outermost, *innermost;
    uint32_t depth; /* how many segments */
    uint32_t state; /* atomic: enum wpy_execution_state */
    bool holds;     /* it has the group's lock while it is suspended */
    bool fresh;     /* it was resumed at an instruction whose check hasn't been passed yet */
    /* why it was suspended: */
    uint32_t reason;      /* enum wpy_reason */
    const wpy_func *host; /* the host function, as long as its instance is open */
    uint32_t host_id;
    int32_t back;       /* at the end of a slice: see WamrPyHooks.checkpoint */
    uint64_t until;     /* see wpy_stop */
    uint64_t called_at; /* see wpy_keep_called_at; 0: not known */
    void *pending;      /* see wpy_keep_pending */
    void (*drop_pending)(void *pending);
    uint32_t *args; /* of the host function, owned */
    wpy_descriptor *descriptors;
    uint32_t arg_count, descriptor_count;
    /* how it is resumed: */
    uint64_t slice_end;       /* 0: none */
    int64_t slice_fuel;       /* what its slice may use, see slices.c; 0: any amount */
    int64_t slice_used;       /* without what was used since `mark` */
    int64_t mark, owed;       /* owed by the innermost segment's instance */
    uint32_t mode;            /* enum wpy_mode: what the host function's call ends with */
    int number;               /* of the Python exception that it raises */
    wpy_exception *exception; /* the same, if it is a WasmException; borrowed */
    const uint32_t *answer;   /* cells of its results; borrowed */
    uint32_t answer_count;
};

/* ---- suspend.c ---- */

/* The execution whose code this thread runs, with no other call between; NULL: there is none. */
wpy_execution *wpy_current_execution(const wpy_thread *me);

/* Suspends the current execution, whose code has called an import; always false. */
bool wpy_suspend(WASMExecEnv *env, uint32_t reason, uint64_t until);
/* The same for a host function, with its arguments. If no execution is current, the exception is
   a RuntimeError. */
bool wpy_suspend_call(WASMExecEnv *env, const wpy_func *func, const uint32_t *args);
/* The same for a WASI function that waits for descriptors, which are copied. */
bool wpy_suspend_poll(WASMExecEnv *env, const wpy_descriptor *descriptors, uint32_t count,
                      uint64_t until);
/* When the WASI function that is executed was called first: the time that was kept when it was
   suspended, or `now`. */
uint64_t wpy_called_at(uint64_t now);
void wpy_keep_called_at(uint64_t time);
/* Keeps an operation that the WASI function has begun, and that it goes on with when it is executed
   again after the suspension. `drop` frees the operation if that never happens; it is called
   without the GIL. */
void wpy_keep_pending(void *pending, void (*drop)(void *pending));
/* The operation that was kept, for the caller to own; NULL: none. */
void *wpy_take_pending(void);
void wpy_drop_pending(wpy_execution *execution);

/* ---- slices.c ---- */

/* The execution begins to run: for some time (WPY_NO_SLICE), with some fuel (0: any amount). */
void wpy_begin_slice(wpy_execution *execution, uint64_t ns, int64_t fuel);
/* Its code goes on in another instance. */
void wpy_switch_instance(wpy_execution *execution, wpy_instance *from, wpy_instance *to);
/* Called by the checkpoint, after the code has paid for the checks that were due: suspends the
   current execution if its slice is over and code can be suspended here. True: it is suspended. */
bool wpy_end_of_slice(WASMExecEnv *env, int32_t back, int64_t due);

/* ---- running.c ---- */

/* Adds an execution to those that run in this thread. */
void wpy_begin_running(wpy_execution *execution, uint64_t slice_ns, int64_t slice_fuel);
/* Removes it: it is suspended, or has ended; returns the status. */
int wpy_end_running(wpy_execution *execution, int status);
/* Closes the segment's activation. */
void wpy_leave_segment(wpy_segment *segment);
/* The code was suspended in `segment`, or in inner ones, whose activations are closed: closes the
   others, and returns WPY_SUSPENDED. After a slice, the execution keeps the lock. */
int wpy_stop_running(wpy_execution *execution, wpy_segment *segment);
/* The current execution's code calls a function of an instance. As wpy_dispatcher. */
bool wpy_call_in_execution(wpy_execution *execution, WASMExecEnv *env, wpy_func *func,
                           const uint32_t *args, uint32_t *results);

/* ---- suspended.c; with the group's lock ---- */

/* Puts all segments of an execution into the lists of their instances, or takes them out. The
   latter is false, and does nothing, if others were suspended later in one of the instances. */
void wpy_list_segments(wpy_execution *execution);
bool wpy_unlist_segments(wpy_execution *execution);
/* Removes the frames of a segment that is in no list, and those below that are abandoned. */
void wpy_drop_frames(wpy_segment *segment);
/* Gives up the segments of an execution. Their frames go at once if this thread has the group's
   lock (`locked`), else when the thread that has it leaves. */
void wpy_abandon_segments(wpy_execution *execution, bool locked);

/* Removes abandoned segments from the top of the instance's stack. */
void wpy_drop_abandoned(wpy_instance *instance);

/* ---- execution.c ---- */

/* Changes the state if it is `from`. */
bool wpy_change_state(wpy_execution *execution, uint32_t from, uint32_t to);
/* The code was suspended: exnrefs among the arguments of the host function get handles. */
void wpy_hold_arguments(const wpy_execution *execution);
/* Describes why a suspended execution was suspended. */
void wpy_tell_stop(const wpy_execution *execution, wpy_stop *out);
/* The execution ends without having run: `status`, with an error record. */
int wpy_end_unrun(wpy_execution *execution, int status, const char *text);

/* ---- resume.c ---- */

/* The hook `resumer`. Once per process. */
WASMFunctionInstance *wpy_make_resumer(void);

#endif
