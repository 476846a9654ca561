/* slices.c: slices of running code: after some time, or after an amount of fuel, an execution
 * stops.
 *
 * Fuel is exact: an execution stops when it has used the fuel of its slice, in all the instances
 * that it has entered together. It stops at the first check beyond that. What this check has taken
 * beyond the slice is given back, and is taken from the next slices (`owed`). So an instruction
 * that costs more than a slice is paid by several slices, in which no code runs. The fuel that was
 * used is the difference between two values of fuel_used(), which is counted up whenever the code
 * enters another instance or returns from one.
 */
#include "runtime/segments.h"

/* The deadline of activations without one, in a slice. It never comes. It only makes the code visit
   the checkpoint after each host function, which took time, and whose calls have used the same
   fuel. */
#define WPY_DEADLINE_OF_SLICE (UINT64_MAX - 2)

static int32_t debug_slice;

/* For tests: between two visits of the checkpoint, code in executions makes so many checks; 0: as
   many as other code. */
void
wpy_debug_set_slice(int32_t checks)
{
    debug_slice = checks;
}

/* Lets the code visit the checkpoint after at most this many checks. */
static void
shorten(wpy_instance *instance, WASMExecEnv *env, int64_t checks)
{
    int64_t excess = env->fuel - (checks - 1);

    if (excess > 0) {
        env->fuel -= (int32)excess;
        instance->fuel += excess;
    }
}

/* ---- fuel ---- */

/* The fuel that the instance has used until now, plus a constant. */
static int64_t
fuel_used(const wpy_instance *instance)
{
    int64_t ahead = instance->env && instance->env->fuel > 0 ? instance->env->fuel : 0;

    return instance->fuel_given - instance->fuel - ahead;
}

/* Code of the instance runs from now on. */
static void
begin_counting(wpy_execution *execution, wpy_instance *instance)
{
    wpy_end_slice(instance);
    execution->mark = fuel_used(instance);
}

void
wpy_begin_slice(wpy_execution *execution, uint64_t ns, int64_t fuel)
{
    wpy_segment *segment = execution->innermost;
    wpy_instance *instance = segment->func->instance;

    execution->slice_end = ns == WPY_NO_SLICE ? 0 : wpy_now() + ns;
    execution->slice_fuel = fuel;
    execution->slice_used = 0;
    if (execution->slice_end) /* so that the next check looks at the clock */
        wpy_end_slice(instance);
    if (fuel)
        begin_counting(execution, instance);
    if (fuel || execution->slice_end)
        for (; segment; segment = segment->outer)
            if (segment->activation->deadline == UINT64_MAX)
                segment->activation->deadline = WPY_DEADLINE_OF_SLICE;
    if (execution->owed) {
        int64_t paid = fuel && fuel < execution->owed ? fuel : execution->owed;

        wpy_registry_lock(); /* another thread may set the fuel */
        instance->fuel -= paid;
        execution->owed -= paid;
        wpy_registry_unlock();
    }
}

void
wpy_switch_instance(wpy_execution *execution, wpy_instance *from, wpy_instance *to)
{
    if (!execution->slice_fuel)
        return;
    execution->slice_used += fuel_used(from) - execution->mark;
    begin_counting(execution, to);
}

/* How much of the slice's fuel is left; negative: more was used. */
static int64_t
fuel_left(const wpy_execution *execution, const wpy_instance *instance)
{
    return execution->slice_fuel - execution->slice_used - (fuel_used(instance) - execution->mark);
}

/* ---- the end of a slice ---- */

/* Whether the execution can keep the group's lock while it is suspended: this thread has no other
   calls open in the group. It has to keep the lock, since a slice may end anywhere in the code, for
   example within malloc(). */
static bool
may_hold(const wpy_execution *execution, const wpy_group *group)
{
    return group->recursion + 1 == execution->depth;
}

static bool
time_is_over(wpy_execution *execution, int32_t back, int64_t due)
{
    if (!execution->slice_end || back < 0 || (back > 0 && due != 1))
        return false;
    if (execution->fresh) { /* an instruction that was begun again is executed before it stops */
        if (back > 0)
            execution->fresh = false;
        return false;
    }
    return wpy_now() >= execution->slice_end;
}

bool
wpy_end_of_slice(WASMExecEnv *env, int32_t back, int64_t due)
{
    wpy_execution *execution = wpy_current_execution(&wpy_self);
    wpy_instance *instance = wpy_instance_of(env);
    bool may = execution && may_hold(execution, instance->object.group),
         stops = may && time_is_over(execution, back, due), counted = may && execution->slice_fuel;
    int64_t left = 0;

    wpy_registry_lock(); /* another thread may set the fuel */
    if (counted) {
        left = fuel_left(execution, instance);
        if (back > 0) /* the instruction has not begun */
            left += 1;
        if (left < 0 || (back > 0 && left == 0))
            stops |= back >= 0;
    }
    if (stops) {
        wpy_end_slice(instance);
        if (back > 0) /* the instruction pays when it begins again */
            instance->fuel += 1;
        if (counted && left < 0) {
            instance->fuel -= left;
            execution->owed = -left;
        }
    } else {
        if (counted)
            shorten(instance, env, left > 0 ? left + 1 - (back > 0) : 1);
        if (debug_slice)
            shorten(instance, env, debug_slice);
    }
    wpy_registry_unlock();
    if (stops) {
        wpy_suspend(env, WPY_REASON_SLICE, 0);
        execution->back = back;
    }
    return stops;
}
