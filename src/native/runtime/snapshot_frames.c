/* snapshot_frames.c: the frames of a suspended call, in a snapshot and on another stack.
 *
 * A frame points at other frames of its stack, at the instance's functions, which all instances of
 * the snapshot share, and into the module's code. So only pointers into the stack are adjusted.
 * Times are stored relative to the snapshot: an execution that sleeps then sleeps on for what was
 * left.
 */
#include "runtime/func.h"
#include "runtime/saved_state.h"

void
wpy_saved_frames_free(wpy_saved_frames *frames)
{
    wpy_wipe_and_free(frames->stack, frames->size);
    wpy_wipe_and_free(frames->args, frames->arg_count * sizeof *frames->args);
    free(frames->descriptors);
    free(frames);
}

static void *
copy(const void *from, size_t size)
{
    void *to = malloc(size + 1);

    if (to && size)
        memcpy(to, from, size);
    return to;
}

static uint32_t
import_index(const wpy_instance *instance, const wpy_func *host)
{
    uint32_t i = 0;

    while (i < instance->module->wamr->import_function_count && instance->imported[i] != host)
        i++;
    return i;
}

/* The nanoseconds until a time, at least 1; 0 and UINT64_MAX, for no time and for ever, stay. */
static uint64_t
time_left(uint64_t until, uint64_t now)
{
    return until == UINT64_MAX || !until ? until : until > now ? until - now : 1;
}

wpy_saved_frames *
wpy_save_frames(wpy_instance *instance, const wpy_execution *execution)
{
    const wpy_segment *segment = execution->outermost;
    const uint8_t *bottom = instance->env->wasm_stack.bottom;
    wpy_saved_frames *frames = calloc(1, sizeof *frames);
    uint64_t now = wpy_now();
    uint32_t i;

    if (!frames)
        return NULL;
    frames->was = bottom;
    frames->size = (uint32_t)(segment->top - bottom);
    frames->entry = (uint32_t)((uint8_t *)segment->entry - bottom);
    frames->at = (uint32_t)((uint8_t *)segment->at - bottom);
    frames->func = segment->func->index;
    frames->reason = execution->reason;
    frames->host = import_index(instance, execution->host);
    frames->fresh = execution->fresh;
    frames->sleeps = time_left(execution->until, now);
    frames->called_ago = execution->called_at ? now - execution->called_at + 1 : 0;
    frames->fuel_left = segment->fuel_left;
    frames->slice_fuel = execution->slice_fuel;
    frames->owed = execution->owed;
    frames->arg_count = execution->reason == WPY_REASON_CALL ? execution->arg_count : 0;
    frames->descriptor_count = execution->descriptor_count;
    frames->stack = copy(bottom, frames->size);
    frames->args = copy(execution->args, frames->arg_count * sizeof *frames->args);
    frames->descriptors =
        copy(execution->descriptors, frames->descriptor_count * sizeof *frames->descriptors);
    if (!frames->stack || !frames->args || !frames->descriptors) {
        wpy_saved_frames_free(frames);
        return NULL;
    }
    for (i = 0; instance->wasi && i < frames->descriptor_count; i++)
        frames->descriptors[i].fd = wpy_wasi_ops_of(instance->wasi)
                                        ->guest_stream(instance->wasi, frames->descriptors[i].fd);
    return frames;
}

static void
move_frames(const wpy_saved_frames *frames, WASMExecEnv *env)
{
    uint8_t *bottom = env->wasm_stack.bottom;
    ptrdiff_t moved = bottom - frames->was;
    WASMInterpFrame *frame = (WASMInterpFrame *)(bottom + frames->at);

    memcpy(bottom, frames->stack, frames->size);
    env->wasm_stack.top = bottom + frames->size;
    wasm_exec_env_set_cur_frame(env, (WASMRuntimeFrame *)frame);
    for (; frame; frame = frame->prev_frame) {
        frame->lp = (uint32_t *)((uint8_t *)frame->lp + moved);
        if (frame->prev_frame)
            frame->prev_frame = (WASMInterpFrame *)((uint8_t *)frame->prev_frame + moved);
    }
}

/* The host's descriptors of the clone. Streams that have none, of Python for example, are left
   out. */
static void
restore_descriptors(const wpy_saved_frames *frames, const wpy_instance *instance,
                    wpy_execution *execution)
{
    uint32_t i;

    for (i = 0; instance->wasi && i < frames->descriptor_count; i++) {
        wpy_descriptor *to = &execution->descriptors[execution->descriptor_count];

        *to = frames->descriptors[i];
        to->fd = wpy_wasi_ops_of(instance->wasi)->host_stream(instance->wasi, to->fd);
        if (to->fd >= 0)
            execution->descriptor_count++;
    }
}

wpy_execution *
wpy_restore_frames(const wpy_snapshot *snapshot, wpy_instance *instance)
{
    const wpy_saved_frames *frames = snapshot->frames;
    wpy_func *func = wpy_func_borrow(instance, frames->func);
    wpy_execution *execution = func ? wpy_execution_new(func) : NULL;
    uint8_t *bottom = instance->env->wasm_stack.bottom;
    uint64_t now = wpy_now();
    wpy_segment *segment;

    if (!execution)
        return NULL;
    execution->args = copy(frames->args, frames->arg_count * sizeof *frames->args);
    execution->descriptors = malloc((frames->descriptor_count + 1) * sizeof *frames->descriptors);
    if (!execution->args || !execution->descriptors) {
        wpy_execution_free(execution);
        return NULL;
    }
    move_frames(frames, instance->env);
    segment = execution->outermost;
    segment->entry = (WASMInterpFrame *)(bottom + frames->entry);
    segment->at = (WASMInterpFrame *)(bottom + frames->at);
    segment->top = bottom + frames->size;
    segment->fuel_left = frames->fuel_left;
    segment->interrupts = ATOMIC_LOAD(&instance->interrupts);
    execution->fresh = frames->fresh;
    execution->slice_fuel = frames->slice_fuel;
    execution->owed = frames->owed;
    execution->reason = frames->reason;
    execution->arg_count = frames->arg_count;
    if (frames->reason == WPY_REASON_CALL) {
        execution->host = instance->imported[frames->host];
        execution->host_id = execution->host->index;
    }
    execution->until =
        frames->sleeps == 0 || frames->sleeps == UINT64_MAX ? frames->sleeps : now + frames->sleeps;
    execution->called_at =
        frames->called_ago && frames->called_ago <= now ? now - frames->called_ago + 1 : 0;
    restore_descriptors(frames, instance, execution);
    wpy_list_segments(execution);
    ATOMIC_STORE_SEQ(&execution->state, WPY_STOPPED);
    return execution;
}
