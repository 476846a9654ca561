/* calls.c: the WASI functions that are replaced as a whole.
 *
 * - poll_oneoff: WAMR's sleeps where nothing can stop it, and supports only one clock at a time.
 * There is a second version for the subscriptions of snapshot 0, "wasi_unstable".
 * - random_get: a gigabyte takes seconds.
 * - proc_exit: the exit code must be more than a text.
 * - all functions with sockets, which are refused.
 *
 * They are native functions of WAMR. It converts their pointers, and checks only the first byte of
 * what a pointer refers to.
 */
#include "include/python_functions.h"
#include "runtime/segments.h"
#include "runtime/stack_switch.h"
#include "wasi/wasi.h"

/* ---- poll_oneoff ---- */

#define MOST_SUBSCRIPTIONS 65536u /* a program has at most 1024 descriptors */

/* The subscription of snapshot 0. Preview 1 has no `identifier`. i386 aligns 64-bit members to 4
 * bytes, wasm to 8. */
typedef struct {
    ALIGNED_8 uint64_t userdata;
    uint8_t type;
    union {
        struct {
            ALIGNED_8 uint64_t identifier;
            uint32_t clock_id;
            ALIGNED_8 uint64_t timeout;
            ALIGNED_8 uint64_t precision;
            uint16_t flags;
        } clock;
        uint32_t fd;
    } u;
} unstable_subscription;
_Static_assert(sizeof(unstable_subscription) == 56, "as snapshot 0 has it");

/* The subscriptions of one call. They are copied first, since the program may use one buffer for
 * subscriptions and events. */
typedef struct {
    __wasi_subscription_t *clocks, *files; /* `files` has room for one more */
    uint64_t *deadlines;                   /* of the clocks, on the scale of wpy_now */
    uint32_t clock_count, file_count;
    bool awaits_python; /* among them is a stdin of Python, which has nothing to read */
    uint64_t first_deadline, called_at;
} subscriptions;

static uint64_t
add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The deadline of a clock. The CPU time clocks can be read, but not waited for. A relative time
   runs from `called_at`, also while the call is suspended; an absolute one is compared with now. */
static __wasi_errno_t
deadline_of(const __wasi_subscription_t *subscription, uint64_t called_at, uint64_t *deadline)
{
    const __wasi_subscription_clock_t *clock = &subscription->u.u.clock;
    __wasi_timestamp_t time, wait = clock->timeout;
    uint64_t begin = called_at;
    __wasi_errno_t error;

    if ((clock->clock_id != __WASI_CLOCK_REALTIME && clock->clock_id != __WASI_CLOCK_MONOTONIC) ||
        (clock->flags & ~__WASI_SUBSCRIPTION_CLOCK_ABSTIME))
        return __WASI_EINVAL;
    if (clock->flags & __WASI_SUBSCRIPTION_CLOCK_ABSTIME) {
        if ((error = os_clock_time_get(clock->clock_id, 0, &time)) != 0)
            return error;
        wait = wait > time ? wait - time : 0;
        begin = wpy_now();
    }
    *deadline = add_saturating(begin, wait);
    return 0;
}

/* The i-th subscription in the program's memory, which need not be aligned, converted to preview 1.
 */
static __wasi_subscription_t
subscription_at(const uint8_t *in, uint32_t i, bool unstable)
{
    __wasi_subscription_t subscription;
    unstable_subscription snapshot_0;

    if (!unstable) {
        memcpy(&subscription, in + i * sizeof subscription, sizeof subscription);
        return subscription;
    }
    memcpy(&snapshot_0, in + i * sizeof snapshot_0, sizeof snapshot_0);
    subscription =
        (__wasi_subscription_t){.userdata = snapshot_0.userdata, .u.type = snapshot_0.type};
    if (snapshot_0.type == __WASI_EVENTTYPE_CLOCK) {
        subscription.u.u.clock.clock_id = snapshot_0.u.clock.clock_id;
        subscription.u.u.clock.timeout = snapshot_0.u.clock.timeout;
        subscription.u.u.clock.precision = snapshot_0.u.clock.precision;
        subscription.u.u.clock.flags = snapshot_0.u.clock.flags;
    } else
        subscription.u.u.fd_readwrite.fd = (__wasi_fd_t)snapshot_0.u.fd;
    return subscription;
}

/* Whether stdin is a stream of Python that has nothing to read, which only an execution waits for.
   Python runs, and may raise: then the instance has an exception. */
static bool
python_has_nothing(WASMExecEnv *env)
{
    const wpy_wasi *wasi = wpy_instance_of(env)->wasi;
    wpy_saved_stack outside = wpy_save_stack(env);
    uint8_t none;
    int got;

    if (wasi->streams[0].kind != WPY_STREAM_PYTHON || !wpy_may_suspend())
        return false;
    ASSERT_NO_LOCKS();
    got = wpy_py_wasi_read(wasi->streams_id, &none, 0);
    if (!wpy_restore_stack(env, &outside))
        return false;
    wpy_restore_frame(env, outside.frame);
    if (got < 0)
        wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_HOST, got, "stdio failed");
    return got == WPY_WOULD_BLOCK;
}

/* Copies the subscriptions. The caller frees the arrays, also where this fails. */
static __wasi_errno_t
copy_subscriptions(WASMExecEnv *env, subscriptions *all, const uint8_t *in, uint32_t count,
                   bool unstable)
{
    uint64_t called_at = wpy_called_at(wpy_now());
    uint32_t i;

    all->clocks = calloc(count, sizeof *all->clocks);
    all->files = calloc((size_t)count + 1, sizeof *all->files);
    all->deadlines = calloc(count, sizeof *all->deadlines);
    all->first_deadline = UINT64_MAX;
    all->called_at = called_at;
    if (!all->clocks || !all->files || !all->deadlines)
        return __WASI_ENOMEM;
    for (i = 0; i < count; i++) {
        __wasi_subscription_t subscription = subscription_at(in, i, unstable);
        uint64_t *deadline = &all->deadlines[all->clock_count];
        __wasi_errno_t error;

        switch (subscription.u.type) {
        case __WASI_EVENTTYPE_CLOCK:
            if ((error = deadline_of(&subscription, called_at, deadline)) != 0)
                return error;
            if (*deadline < all->first_deadline)
                all->first_deadline = *deadline;
            all->clocks[all->clock_count++] = subscription;
            break;
        case __WASI_EVENTTYPE_FD_READ:
            if (subscription.u.u.fd_readwrite.fd == 0 && !all->awaits_python)
                all->awaits_python = python_has_nothing(env);
            if (((WASMModuleInstance *)env->module_inst)->cur_exception[0])
                return __WASI_EIO; /* once: the next one would not be raised by anybody */
            if (subscription.u.u.fd_readwrite.fd == 0 && all->awaits_python)
                break;
            all->files[all->file_count++] = subscription;
            break;
        case __WASI_EVENTTYPE_FD_WRITE:
            all->files[all->file_count++] = subscription;
            break;
        default:
            return __WASI_EINVAL;
        }
    }
    return 0;
}

/* Writes the events of the clocks whose deadline has passed, and returns their number. */
static uint32_t
clock_events(const subscriptions *all, __wasi_event_t *out)
{
    uint64_t now = wpy_now();
    uint32_t i, count = 0;

    for (i = 0; i < all->clock_count; i++)
        if (all->deadlines[i] <= now)
            out[count++] = (__wasi_event_t){
                .userdata = all->clocks[i].userdata,
                .type = __WASI_EVENTTYPE_CLOCK,
            };
    return count;
}

/* Waits one slice for the descriptors. `*woken`: a signal ended the wait. */
static __wasi_errno_t
file_events(WASMExecEnv *env, const subscriptions *all, __wasi_event_t *out, uint32_t *count,
            bool *woken)
{
    uint64_t wait = wpy_may_suspend() ? 0 : wpy_wait_ns(all->first_deadline);
    size_t found = 0, i;
    __wasi_errno_t error;

    error = wpy_poll_files(env, all->files, all->file_count, wait, out, &found);
    *woken = error == __WASI_EINTR;
    *count = 0;
    if (error && !*woken)
        return error;
    for (i = 0; i < found; i++)
        if (out[i].type != __WASI_EVENTTYPE_CLOCK)
            out[(*count)++] = out[i];
    return 0;
}

/* Suspends the call until one of the clocks, or one of the descriptors. */
static void
suspend_poll(WASMExecEnv *env, const subscriptions *all)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);
    wpy_descriptor *descriptors = malloc(((size_t)all->file_count + 1) * sizeof *descriptors);
    uint32_t i, count = 0;

    for (i = 0; descriptors && i < all->file_count; i++) {
        const __wasi_subscription_t *file = &all->files[i];
        os_file_handle handle;

        if (wamrpy_host_handle(context->curfds, file->u.u.fd_readwrite.fd, &handle) &&
            wpy_descriptor_of(handle) >= 0)
            descriptors[count++] = (wpy_descriptor){
                .fd = wpy_descriptor_of(handle),
                .output = file->u.type == __WASI_EVENTTYPE_FD_WRITE,
            };
    }
    if (count)
        wpy_suspend_poll(env, descriptors, count, all->first_deadline);
    else
        wpy_suspend(env, all->awaits_python || all->file_count ? WPY_REASON_READ : WPY_REASON_SLEEP,
                    all->first_deadline);
    free(descriptors);
    wpy_keep_called_at(all->called_at);
}

static __wasi_errno_t
wait_for_events(WASMExecEnv *env, const subscriptions *all, __wasi_event_t *out, uint32_t *count)
{
    bool woken = false;

    for (;;) {
        uint32_t files = 0;

        if (all->file_count) {
            __wasi_errno_t error = file_events(env, all, out, &files, &woken);
            if (error)
                return error;
        }
        *count = files + clock_events(all, out + files);
        if (*count)
            return 0;
        if (!wpy_wait_check(env, woken))
            return __WASI_EINTR;
        if (wpy_may_suspend()) {
            suspend_poll(env, all);
            return __WASI_EINTR;
        }
        if (!all->file_count)
            woken = !wpy_sleep(wpy_wait_ns(all->first_deadline));
    }
}

static uint32_t
poll_either(WASMExecEnv *env, const uint8_t *in, bool unstable, __wasi_event_t *out, uint32_t count,
            uint32_t *out_count)
{
    uint64_t size = unstable ? sizeof(unstable_subscription) : sizeof(__wasi_subscription_t);
    subscriptions all = {0};
    __wasi_event_t *events = NULL;
    uint32_t found = 0;
    __wasi_errno_t error;

    if (count == 0)
        return __WASI_EINVAL;
    if (!wpy_is_in_memory(env, in, count * size) ||
        !wpy_is_in_memory(env, out, (uint64_t)count * sizeof *out) ||
        !wpy_is_in_memory(env, out_count, sizeof found))
        return __WASI_EFAULT;
    if (count > MOST_SUBSCRIPTIONS)
        return __WASI_EINVAL;
    error = copy_subscriptions(env, &all, in, count, unstable);
    if (!error && !(events = calloc((size_t)count + 1, sizeof *events)))
        error = __WASI_ENOMEM;
    if (!error)
        error = wait_for_events(env, &all, events, &found);
    if (!error) {
        memcpy(out, events, found * sizeof *events);
        memcpy(out_count, &found, sizeof found);
    }
    free(events);
    free(all.clocks);
    free(all.files);
    free(all.deadlines);
    return error;
}

static uint32_t
poll_oneoff(WASMExecEnv *env, const uint8_t *in, __wasi_event_t *out, uint32_t count,
            uint32_t *out_count)
{
    return poll_either(env, in, false, out, count, out_count);
}

static uint32_t
unstable_poll_oneoff(WASMExecEnv *env, const uint8_t *in, __wasi_event_t *out, uint32_t count,
                     uint32_t *out_count)
{
    return poll_either(env, in, true, out, count, out_count);
}

/* ---- other functions ---- */

static uint32_t
random_get(WASMExecEnv *env, uint8_t *data, uint32_t size)
{
    const uint32_t most = 1u << 20; /* bytes between two checks */

    while (size) {
        uint32_t piece = size < most ? size : most;
        __wasi_errno_t error = wasmtime_ssp_random_get(data, piece);

        if (error)
            return error;
        data += piece;
        size -= piece;
        if (size && !wpy_wait_check(env, false))
            return __WASI_EINTR;
    }
    return 0;
}

/* The exit code is part of the exception, which also unwinds through instances without WASI. */
static void
proc_exit(WASMExecEnv *env, uint32_t code)
{
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_EXIT, (int)code, "exit");
}

/* For every function that takes a descriptor first: no descriptor of a program is a socket. */
static uint32_t
not_a_socket(WASMExecEnv *env, __wasi_fd_t fd)
{
    __wasi_fdstat_t status;

    return wasmtime_ssp_fd_fdstat_get(env, wpy_fd_table(env), fd, &status) ? __WASI_EBADF
                                                                           : __WASI_ENOTSOCK;
}

static uint32_t
no_access(WASMExecEnv *env)
{
    (void)env;
    return __WASI_EACCES;
}

void *
wpy_wasi_native(const char *module, const char *name)
{
    static const struct {
        const char *name;
        void *function;
    } replacements[] = {
        {"poll_oneoff", (void *)poll_oneoff},    {"random_get", (void *)random_get},
        {"proc_exit", (void *)proc_exit},        {"sock_accept", (void *)not_a_socket},
        {"sock_recv", (void *)not_a_socket},     {"sock_send", (void *)not_a_socket},
        {"sock_shutdown", (void *)not_a_socket},
    };
    size_t i;

    void *function = wpy_file_limit_native(name);

    if (!function)
        function = wpy_wide_result_native(module, name);
    if (function)
        return function;
    if (!strcmp(module, "wasi_unstable") && !strcmp(name, "poll_oneoff"))
        return (void *)unstable_poll_oneoff;
    for (i = 0; i < sizeof replacements / sizeof *replacements; i++)
        if (!strcmp(name, replacements[i].name))
            return replacements[i].function;
    return strncmp(name, "sock_", 5) ? NULL : (void *)no_access;
}
