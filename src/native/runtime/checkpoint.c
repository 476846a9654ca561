/* checkpoint.c: the one place where running wasm code can be stopped.
 *
 * A patch makes the interpreter count down one number in its exec_env at every branch and call, and
 * come here when it runs out, about every 65 521 checks or 0.2 ms. The rule of counting: one per
 * br, br_if, br_table, call, call_indirect and return_call that is executed, one at the entry of a
 * wasm function, one more after an import returns. What takes long counts as more: a bulk
 * instruction one for each 64 bytes, the entry of a function one for each 64 cells of its frame,
 * and code without any of these one for each 256 bytes. Here we look at what may stop the code: an
 * interruption, the deadline, Python's signals (on the main thread), the fuel; and hand out the
 * next slice. Nothing has to be undone after a stop, nothing is lost in a race, no thread watches.
 *
 * Fuel is counted always: what is left is `instance->fuel` plus the rest of the slice. The same
 * program uses the same fuel on every machine, since a slice ends where the fuel ends.
 */
#include "interp/floating.h"
#include "core/stack_switch.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define SIGNALS_EVERY_NS 50000000u

/* Timeouts from here on may be counted from the end of a slice. */
#define SHORT_NS 1000000u

/* Python's side: runs what signals have asked for, and sets the stop of a thread that nobody waits
   for any more; not 0: the number of an exception that waits to come out. */
extern int wpy_py_signals(void);

/* Only there does Python run signal handlers. Asked anew each time: a fork makes any thread the
 * main one. */
static bool
is_main_thread(void)
{
#if defined(__linux__)
    return getpid() == (pid_t)syscall(SYS_gettid);
#elif defined(__APPLE__)
    return pthread_main_np() != 0;
#else
    return true; /* elsewhere Python finds out: looking costs a little, no more */
#endif
}

/* Gives the rest of the slice back, so that the next check comes here. */
void
wpy_fuel_settle(wpy_instance *instance)
{
    ASSERT_ENTERED(instance);
    if (instance->env && instance->env->fuel > 0) {
        instance->fuel += instance->env->fuel;
        instance->env->fuel = 0;
    }
}

static bool
stop(wpy_instance *instance, int status, const char *text)
{
    wpy_stop(instance->wamr, status, 0, text);
    return false;
}

/* All that stops code but the fuel. `woken`: a signal has come, don't wait until it is time to
 * look. */
static bool
goes_on(wpy_instance *instance, bool woken)
{
    wpy_thread *me = &wpy_self;
    uint64_t now;
    int status = wpy_stopped(me);

    if (status != WPY_OK)
        return stop(instance, status, status == WPY_TIMEOUT ? "timeout" : "interrupted");
    now = wpy_now();
    if (woken || now - me->signals_at >= SIGNALS_EVERY_NS) {
        me->signals_at = now;
        if (me->stop || is_main_thread()) {
            wpy_outside outside = wpy_go_out(instance->env);
            int raised;

            ASSERT_NO_LOCKS();
            raised = wpy_py_signals();
            if (!wpy_come_back(instance->env, &outside))
                return false;
            if (raised) {
                wpy_stop(instance->wamr, WPY_HOST, raised, "signal");
                return false;
            }
        }
        if (wpy_stop_asked(me))
            return stop(instance, WPY_INTERRUPTED, "interrupted");
    }
    return true;
}

/* For calls that wait: they look here every few milliseconds, which costs no fuel. */
bool
wpy_wait_check(WASMExecEnv *env, bool woken)
{
    wpy_instance *instance = wpy_instance_of(env);

    return !instance || goes_on(instance, woken);
}

/* The exec_env's count is below zero by what is due; false: stop with the exception that was set.
 * The group's lock is this thread's. */
bool
wpy_checkpoint_hook(WASMExecEnv *env)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_activation *activation;
    int64_t floor = 0, available, due = -(int64_t)env->fuel;
    bool on;

    if (!instance) { /* wasm-c-api's: nothing of ours stops it */
        env->fuel = WPY_SLICE - 1;
        return true;
    }
    ASSERT_ENTERED(instance);
    env->fuel = 0; /* what brought us here is paid from what the instance has */
    wpy_floats_leave(env->floats_outside); /* a signal handler is Python's */
    on = goes_on(instance, false);
    env->floats_outside = wpy_floats_enter();
    if (!on)
        return false;
    wpy_fuel_settle(instance); /* a signal handler may have run code of the same instance */
    for (activation = wpy_innermost(&wpy_self); activation; activation = wpy_outer(activation))
        if (activation->instance == instance && activation->fuel_floor > floor)
            floor = activation->fuel_floor;
    wpy_registry_lock(); /* another thread may set it */
    available = instance->fuel - floor - due;
    if (available >= 0) {
        env->fuel = (int32)(available < WPY_SLICE - 1 ? available : WPY_SLICE - 1);
        instance->fuel -= due + env->fuel;
    } else if (instance->fuel > floor)
        instance->fuel = floor; /* not enough for a long instruction: it does not begin */
    wpy_registry_unlock();
    return available >= 0 || stop(instance, WPY_FUEL, "out of fuel");
}

/* The rare part of wpy_enter: this thread has not been in `instance` last: its stack's bounds are
   not those that the exec_env knows. */
COLD void
wpy_thread_arrived(wpy_instance *instance, wpy_thread *me)
{
    if (me->serial == 0)
        wpy_thread_begin(me);
    if (instance->env) {
        wasm_exec_env_set_thread_info(instance->env);
        instance->thread = me->serial;
    }
}

/* The rare part of wpy_enter: closed, or with a limit. */
COLD int
wpy_enter_slow(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns,
               int64_t fuel)
{
    if (ATOMIC_LOAD(&instance->attention) & WPY_ATTN_CLOSED)
        return WPY_CLOSED;
    if (timeout_ns == WPY_NO_TIMEOUT)
        timeout_ns = 0;
    else if (instance->timeout_ns && (!timeout_ns || instance->timeout_ns < timeout_ns))
        timeout_ns = instance->timeout_ns;
    if (timeout_ns) {
        activation->timeout_ns = timeout_ns;
        activation->deadline = WPY_UNCOUNTED;
        if (timeout_ns < SHORT_NS) { /* may fall into the rest of a slice */
            wpy_deadline(activation, wpy_now());
            wpy_fuel_settle(instance);
        }
    }
    if (fuel >= 0) {
        wpy_fuel_settle(instance);
        activation->fuel_floor = instance->fuel > fuel ? instance->fuel - fuel : 0;
    }
    return WPY_OK;
}

/* Whatever runs in the instance ends with WPY_INTERRUPTED, soon; from any thread, from its own host
 * functions too. */
void
wpy_instance_interrupt(wpy_instance *instance)
{
    wpy_activation *activation;

    if (ATOMIC_LOAD(&instance->depth) == 0)
        return; /* nothing runs: it would hit a later call */
    ATOMIC_STORE(&instance->stop_at, ATOMIC_LOAD(&instance->generation));
    for (activation = wpy_innermost(&wpy_self); activation; activation = wpy_outer(activation))
        wpy_fuel_settle(activation->instance); /* ours: no need to wait for the slice to end */
}

/* What is left; -1: not limited. Exact between calls and in host functions. */
int64_t
wpy_instance_fuel(wpy_instance *instance)
{
    int64_t left;

    if (!instance->fuel_counted)
        return -1;
    wpy_registry_lock(); /* another thread may close it */
    left = instance->fuel + (instance->env && instance->env->fuel > 0 ? instance->env->fuel : 0);
    wpy_registry_unlock();
    return left > 0 ? left : 0;
}

/* -1: no limit any more. */
void
wpy_instance_set_fuel(wpy_instance *instance, int64_t fuel)
{
    wpy_registry_lock();
    if (instance->env && instance->env->fuel > 0)
        instance->env->fuel = 0;
    instance->fuel_counted = fuel >= 0;
    instance->fuel = fuel >= 0 ? fuel : WPY_FUEL_ENDLESS;
    wpy_registry_unlock();
}

/* For each call from Python; 0: none. */
void
wpy_instance_set_timeout(wpy_instance *instance, uint64_t ns)
{
    instance->timeout_ns = ns;
    if (ns)
        ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_TIMED);
    else
        ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_TIMED);
}
