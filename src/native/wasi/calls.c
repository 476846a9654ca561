/* calls.c: the functions of WASI that are ours as a whole.
 *
 * poll_oneoff, because WAMR's sleeps where nothing can stop it, and knows but one clock at a time
 * (and once more, with the subscriptions of snapshot 0, "wasi_unstable"); random_get, because a
 * gigabyte takes seconds; proc_exit, to say more than a text; and everything with sockets, which is
 * refused. They are natives of WAMR's kind: pointers come converted, checked for their first byte
 * only.
 */
#include "wasi/wasi.h"

static bool
valid(WASMExecEnv *env, const void *address, uint64_t size)
{
    return wasm_runtime_validate_native_addr(env->module_inst, (void *)(uintptr_t)address, size);
}

/* ---- poll_oneoff ---- */

#define MOST_SUBSCRIPTIONS 65536u /* a program has 1024 descriptors */

/* Snapshot 0's. Preview 1 has dropped the identifier. */
typedef struct {
    uint64_t userdata;
    uint8_t type;
    union {
        struct {
            uint64_t identifier;
            uint32_t clock_id;
            uint64_t timeout, precision;
            uint16_t flags;
        } clock;
        uint32_t fd;
    } u;
} unstable_subscription;
_Static_assert(sizeof(unstable_subscription) == 56, "as snapshot 0 has it");

/* What a call is about: copied first, since the guest may want its events where the subscriptions
 * are. */
typedef struct {
    __wasi_subscription_t *clocks, *files; /* the latter with room for one more */
    uint64_t *until;                       /* per clock, on wpy_now's scale */
    uint32_t clock_count, file_count;
    uint64_t first; /* the earliest of `until` */
} waiting;

static uint64_t
add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* When the clock strikes. Not all clocks that can be read can be waited for. */
static __wasi_errno_t
moment(const __wasi_subscription_t *subscription, uint64_t now, uint64_t *until)
{
    const __wasi_subscription_clock_t *clock = &subscription->u.u.clock;
    __wasi_timestamp_t theirs, wait = clock->timeout;
    __wasi_errno_t error;

    if ((clock->clock_id != __WASI_CLOCK_REALTIME && clock->clock_id != __WASI_CLOCK_MONOTONIC) ||
        (clock->flags & ~__WASI_SUBSCRIPTION_CLOCK_ABSTIME))
        return __WASI_EINVAL;
    if (clock->flags & __WASI_SUBSCRIPTION_CLOCK_ABSTIME) {
        if ((error = os_clock_time_get(clock->clock_id, 0, &theirs)) != 0)
            return error;
        wait = wait > theirs ? wait - theirs : 0;
    }
    *until = add(now, wait);
    return 0;
}

/* One of the guest's, which need not be aligned, as preview 1's. */
static __wasi_subscription_t
subscription_at(const uint8_t *in, uint32_t i, bool unstable)
{
    __wasi_subscription_t subscription;
    unstable_subscription theirs;

    if (!unstable) {
        memcpy(&subscription, in + i * sizeof subscription, sizeof subscription);
        return subscription;
    }
    memcpy(&theirs, in + i * sizeof theirs, sizeof theirs);
    subscription = (__wasi_subscription_t){.userdata = theirs.userdata, .u.type = theirs.type};
    if (theirs.type == __WASI_EVENTTYPE_CLOCK) {
        subscription.u.u.clock.clock_id = theirs.u.clock.clock_id;
        subscription.u.u.clock.timeout = theirs.u.clock.timeout;
        subscription.u.u.clock.precision = theirs.u.clock.precision;
        subscription.u.u.clock.flags = theirs.u.clock.flags;
    } else
        subscription.u.u.fd_readwrite.fd = (__wasi_fd_t)theirs.u.fd;
    return subscription;
}

static __wasi_errno_t
sort_out(waiting *all, const uint8_t *in, uint32_t count, bool unstable)
{
    uint64_t now = wpy_now();
    uint32_t i;

    all->clocks = calloc(count, sizeof *all->clocks);
    all->files = calloc((size_t)count + 1, sizeof *all->files);
    all->until = calloc(count, sizeof *all->until);
    all->first = UINT64_MAX;
    if (!all->clocks || !all->files || !all->until)
        return __WASI_ENOMEM;
    for (i = 0; i < count; i++) {
        __wasi_subscription_t subscription = subscription_at(in, i, unstable);
        uint64_t *until = &all->until[all->clock_count];
        __wasi_errno_t error;

        switch (subscription.u.type) {
        case __WASI_EVENTTYPE_CLOCK:
            if ((error = moment(&subscription, now, until)) != 0)
                return error;
            if (*until < all->first)
                all->first = *until;
            all->clocks[all->clock_count++] = subscription;
            break;
        case __WASI_EVENTTYPE_FD_READ:
        case __WASI_EVENTTYPE_FD_WRITE:
            all->files[all->file_count++] = subscription;
            break;
        default:
            return __WASI_EINVAL;
        }
    }
    return 0;
}

/* The clocks that have struck. */
static uint32_t
clock_events(const waiting *all, __wasi_event_t *out)
{
    uint64_t now = wpy_now();
    uint32_t i, count = 0;

    for (i = 0; i < all->clock_count; i++)
        if (all->until[i] <= now)
            out[count++] = (__wasi_event_t){
                .userdata = all->clocks[i].userdata,
                .type = __WASI_EVENTTYPE_CLOCK,
            };
    return count;
}

/* Waits for the descriptors as long as a slice lasts, by WAMR's function: it knows rights and
 * descriptors. */
static __wasi_errno_t
file_events(WASMExecEnv *env, const waiting *all, __wasi_event_t *out, uint32_t *count, bool *woken)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);
    uint64_t wait = wpy_wait_ns(all->first);
    size_t found = 0, i;
    __wasi_errno_t error;

    all->files[all->file_count] = (__wasi_subscription_t){
        .u.type = __WASI_EVENTTYPE_CLOCK,
        .u.u.clock = {.clock_id = __WASI_CLOCK_MONOTONIC,
                      .timeout = (wait + 999999) / 1000000 * 1000000},
    };
    error = wasmtime_ssp_poll_oneoff(env, context->curfds, all->files, out, all->file_count + 1,
                                     &found);
    *woken = error == __WASI_EINTR;
    *count = 0;
    if (error && !*woken)
        return error;
    for (i = 0; i < found; i++)
        if (out[i].type != __WASI_EVENTTYPE_CLOCK)
            out[(*count)++] = out[i];
    return 0;
}

static __wasi_errno_t
wait_for_events(WASMExecEnv *env, const waiting *all, __wasi_event_t *out, uint32_t *count)
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
        if (!all->file_count)
            woken = !wpy_sleep(wpy_wait_ns(all->first));
    }
}

static uint32_t
poll_any(WASMExecEnv *env, const uint8_t *in, bool unstable, __wasi_event_t *out, uint32_t count,
         uint32_t *out_count)
{
    uint64_t size = unstable ? sizeof(unstable_subscription) : sizeof(__wasi_subscription_t);
    waiting all = {0};
    __wasi_event_t *events = NULL;
    uint32_t found = 0;
    __wasi_errno_t error;

    if (count == 0)
        return __WASI_EINVAL;
    if (!valid(env, in, count * size) || !valid(env, out, (uint64_t)count * sizeof *out) ||
        !valid(env, out_count, sizeof found))
        return __WASI_EFAULT;
    if (count > MOST_SUBSCRIPTIONS)
        return __WASI_EINVAL;
    error = sort_out(&all, in, count, unstable);
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
    free(all.until);
    return error;
}

static uint32_t
poll_oneoff(WASMExecEnv *env, const uint8_t *in, __wasi_event_t *out, uint32_t count,
            uint32_t *out_count)
{
    return poll_any(env, in, false, out, count, out_count);
}

static uint32_t
unstable_poll_oneoff(WASMExecEnv *env, const uint8_t *in, __wasi_event_t *out, uint32_t count,
                     uint32_t *out_count)
{
    return poll_any(env, in, true, out, count, out_count);
}

/* ---- the others ---- */

static uint32_t
random_get(WASMExecEnv *env, uint8_t *data, uint32_t size)
{
    const uint32_t most = 1u << 20;

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

/* The code travels with the exception, also into instances that have no WASI. */
static void
proc_exit(WASMExecEnv *env, uint32_t code)
{
    wpy_set_exception((WASMModuleInstance *)env->module_inst, WPY_EXIT, (int)code, "exit");
}

/* Of a descriptor, whatever the other arguments are: to a guest none is a socket. */
static uint32_t
no_socket(WASMExecEnv *env, __wasi_fd_t fd)
{
    WASIContext *context = wasm_runtime_get_wasi_ctx(env->module_inst);
    __wasi_fdstat_t status;

    return wasmtime_ssp_fd_fdstat_get(env, context->curfds, fd, &status) ? __WASI_EBADF
                                                                         : __WASI_ENOTSOCK;
}

static uint32_t
no_sockets(WASMExecEnv *env)
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
    } ours[] = {
        {"poll_oneoff", (void *)poll_oneoff}, {"random_get", (void *)random_get},
        {"proc_exit", (void *)proc_exit},     {"sock_accept", (void *)no_socket},
        {"sock_recv", (void *)no_socket},     {"sock_send", (void *)no_socket},
        {"sock_shutdown", (void *)no_socket},
    };
    size_t i;

    if (!strcmp(module, "wasi_unstable") && !strcmp(name, "poll_oneoff"))
        return (void *)unstable_poll_oneoff;
    for (i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcmp(name, ours[i].name))
            return ours[i].function;
    return strncmp(name, "sock_", 5) ? NULL : (void *)no_sockets;
}
