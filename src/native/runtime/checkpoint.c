/* checkpoint.c: the one place where running wasm code can be stopped.
 *
 * A patch makes the interpreter decrement a number in its exec_env, the slice, at every branch and
 * call, and call the checkpoint when it is used up: after 65 521 checks, or 0.2 ms. A check is each
 * br, br_if, br_table, call, call_indirect and return_call that is executed, the entry of a wasm
 * function, and the return of an import. What takes long counts as more checks: a bulk instruction
 * as one for each 64 bytes, the entry of a function as one for each 64 cells of its frame, and code
 * without any of these as one for each 256 bytes.
 *
 * The checkpoint looks at all that may stop the code: an interruption, the deadline, Python's
 * signals (on the main thread) and the fuel. Then it sets the next slice. After a stop nothing has
 * to be undone, no request is lost in a race, and no other thread is needed.
 *
 * Fuel is always counted: what is left is `instance->fuel` plus the rest of the slice. The same
 * program uses the same fuel on every machine, since a slice ends where the fuel ends.
 */
#include "include/python_functions.h"
#include "interp/floating.h"
#include "runtime/segments.h"
#include "runtime/stack_switch.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define SIGNALS_EVERY_NS 50000000u

/* A shorter timeout may end before the current slice does. */
#define SHORT_NS 1000000u

/* Python runs signal handlers on the main thread only. Not cached: a fork makes any thread the main
   one. */
static bool
is_main_thread(void)
{
#if defined(__linux__)
    return getpid() == (pid_t)syscall(SYS_gettid);
#elif defined(__APPLE__)
    return pthread_main_np() != 0;
#else
    return true; /* elsewhere, Python checks, which costs a little more */
#endif
}

static bool
stop(wpy_instance *instance, int status, const char *text)
{
    wpy_set_exception(instance->wamr, status, 0, text);
    return false;
}

/* Whether the code may go on, apart from its fuel; false: the instance has an exception. `woken`: a
   signal has arrived, so look at signals whatever the time. */
static bool
may_continue(wpy_instance *instance, bool woken)
{
    wpy_thread *me = &wpy_self;
    uint64_t now = wpy_now();
    int status = wpy_check_stop(me, now);

    ASSERT_ENTERED(instance);
    if (status != WPY_OK)
        return stop(instance, status, status == WPY_TIMEOUT ? "timeout" : "interrupted");
    if (woken || now - me->signals_checked_at >= SIGNALS_EVERY_NS) {
        me->signals_checked_at = now;
        if (me->stop || is_main_thread()) {
            wpy_saved_stack saved = wpy_save_stack(instance->env);
            int raised;

            ASSERT_NO_LOCKS();
            raised = wpy_py_signals();
            if (!wpy_restore_stack(instance->env, &saved))
                return false;
            if (raised) {
                wpy_set_exception(instance->wamr, WPY_HOST, raised, "signal");
                return false;
            }
        }
        if (wpy_stop_requested(me))
            return stop(instance, WPY_INTERRUPTED, "interrupted");
    }
    return true;
}

bool
wpy_wait_check(WASMExecEnv *env, bool woken)
{
    wpy_instance *instance = wpy_instance_of(env);

    return !instance || may_continue(instance, woken);
}

/* The slice is below zero by the checks that are due. */
bool
wpy_checkpoint_hook(WASMExecEnv *env, int32 back)
{
    wpy_instance *instance = wpy_instance_of(env);
    wpy_activation *activation;
    int64_t floor = 0, available, due = -(int64_t)env->fuel;
    bool continues;

    if (!instance) { /* an instance of the C API: nothing stops it */
        env->fuel = WPY_SLICE - 1;
        return true;
    }
    ASSERT_ENTERED(instance);
    env->fuel = 0;                         /* what is due is paid from the instance's fuel below */
    wpy_floats_leave(env->floats_outside); /* signal handlers run with the thread's own mode */
    continues = may_continue(instance, false);
    env->floats_outside = wpy_floats_enter();
    if (!continues)
        return false;
    wpy_end_slice(instance); /* a signal handler may have run code of the same instance */
    for (activation = wpy_innermost_activation(&wpy_self); activation;
         activation = wpy_outer_activation(activation))
        if (activation->instance == instance && activation->fuel_floor > floor)
            floor = activation->fuel_floor;
    wpy_registry_lock(); /* another thread may set the fuel */
    available = instance->fuel - floor - due;
    if (available >= 0) {
        env->fuel = (int32)(available < WPY_SLICE - 1 ? available : WPY_SLICE - 1);
        instance->fuel -= due + env->fuel;
    } else if (instance->fuel > floor)
        instance->fuel = floor; /* too little for a long instruction, which doesn't begin */
    wpy_registry_unlock();
    if (available < 0)
        return stop(instance, WPY_FUEL, "out of fuel");
    return LIKELY(!wpy_self.executions) || !wpy_end_of_slice(env, back, due);
}

/* Another thread was in the instance last, so the exec_env has the bounds of its stack. */
COLD void
wpy_switch_thread(wpy_instance *instance, wpy_thread *me)
{
    ASSERT_ENTERED(instance);
    if (me->serial == 0)
        wpy_thread_begin(me);
    if (instance->env) {
        wasm_exec_env_set_thread_info(instance->env);
        instance->thread = me->serial;
    }
}

COLD int
wpy_enter_slow(wpy_instance *instance, wpy_activation *activation, uint64_t timeout_ns,
               int64_t fuel)
{
    ASSERT_ENTERED(instance);
    if (ATOMIC_LOAD(&instance->attention) & WPY_ATTN_CLOSED)
        return WPY_CLOSED;
    if (timeout_ns == WPY_NO_TIMEOUT)
        timeout_ns = 0;
    else if (instance->timeout_ns && (!timeout_ns || instance->timeout_ns < timeout_ns))
        timeout_ns = instance->timeout_ns;
    if (timeout_ns) {
        activation->timeout_ns = timeout_ns;
        activation->own_deadline = 0;
        activation->extended_us = ATOMIC_LOAD(&instance->extended_us);
        activation->deadline = WPY_DEADLINE_UNSET;
        if (timeout_ns < SHORT_NS) { /* may fall into the rest of a slice */
            wpy_deadline(activation, wpy_now());
            wpy_end_slice(instance);
        }
    }
    if (fuel >= 0) {
        wpy_end_slice(instance);
        activation->fuel_floor = instance->fuel > fuel ? instance->fuel - fuel : 0;
    }
    return WPY_OK;
}

/* Makes the calls that are open in the instance end with WPY_INTERRUPTED. Any thread, also from a
   host function of the instance; never waits. */
void
wpy_instance_interrupt(wpy_instance *instance)
{
    if (ATOMIC_LOAD(&instance->depth) != 0) /* else the request must not stop a later call */
        ATOMIC_STORE_SEQ(&instance->stop_at, ATOMIC_LOAD(&instance->generation));
    /* suspended calls compare the number; after stop_at, see note_suspended */
    ATOMIC_ADD_SEQ(&instance->interrupts, 1);
    ATOMIC_ADD_SEQ(&wpy_interruptions, 1);
}

/* The fuel that is left; -1: no limit. Exact between calls and in host functions. */
int64_t
wpy_instance_fuel(wpy_instance *instance)
{
    int64_t left;

    if (!instance->fuel_counted)
        return -1;
    wpy_registry_lock(); /* another thread may close the instance */
    left = instance->fuel + (instance->env && instance->env->fuel > 0 ? instance->env->fuel : 0);
    wpy_registry_unlock();
    return left > 0 ? left : 0;
}

/* -1: no limit. Any thread. */
void
wpy_instance_set_fuel(wpy_instance *instance, int64_t fuel)
{
    wpy_registry_lock();
    if (instance->env && instance->env->fuel > 0) {
        instance->fuel += instance->env->fuel;
        instance->env->fuel = 0;
    }
    instance->fuel_given -= instance->fuel;
    instance->fuel_counted = fuel >= 0;
    instance->fuel = fuel >= 0 ? fuel : WPY_FUEL_ENDLESS;
    instance->fuel_given += instance->fuel;
    wpy_registry_unlock();
}

/* Sets the limit of each call from Python; 0: none. */
void
wpy_instance_set_timeout(wpy_instance *instance, uint64_t ns)
{
    instance->timeout_ns = ns;
    if (ns)
        ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_TIMED);
    else
        ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_TIMED);
}

/* Lets the calls that are open in the instance take so many microseconds longer. Any thread; never
   waits. Calls compare the sum, so it may wrap. */
void
wpy_instance_extend_timeout(wpy_instance *instance, uint64_t us)
{
    ATOMIC_ADD_SEQ(&instance->extended_us, us);
}

/* The sum of the extensions, in microseconds. */
uint64_t
wpy_instance_extended(wpy_instance *instance)
{
    return ATOMIC_LOAD_SEQ(&instance->extended_us);
}
