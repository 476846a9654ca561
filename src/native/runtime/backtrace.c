/* backtrace.c: WAMR's exceptions, their frames, and the error records that Python takes.
 *
 * WAMR keeps an exception as a text in the instance. Our exceptions also have a status
 * (wpy_instance.status), which tells what stopped the code. While an exception unwinds, the thread
 * records the frames that it passes, innermost first, also across instances. The call from Python
 * turns all of that into an error record of the thread, whose owner is the function that was
 * called, and returns a status. Python then takes the record.
 *
 * Between the two, a signal handler or a destructor may make other calls that fail, so the records
 * are a short stack. If a signal handler raises there, its exception replaces ours and nobody takes
 * the record. So wpy_take_error returns the newest record of an owner, and each failure has a
 * record of its own: one that was left behind is never taken, and is dropped when the stack is
 * full.
 */
#include "runtime/activation.h"

#define MOST_FRAMES 1000

_Static_assert(WPY_ERROR_TEXT >= EXCEPTION_BUF_LEN, "a record has room for WAMR's exceptions");

void
wpy_set_exception(WASMModuleInstance *wamr, int status, int code, const char *text)
{
    wpy_instance *instance = wamr->custom_data;

    ASSERT_ENTERED(instance);
    wasm_set_exception(wamr, text);
    /* nothing catches a trap; what a host function has raised may be thrown */
    if (status != WPY_HOST && status != WPY_EXCEPTION)
        instance->exception = NULL;
    instance->status = status;
    instance->status_code = code;
}

static void
record_frame(wpy_thread *me, uint64_t instance_id, uint32_t function, uint32_t compiled)
{
    if (me->frame_count == me->frame_room) {
        uint32_t room = me->frame_room ? me->frame_room * 2 : 16;
        wpy_frame *more = realloc(me->frames, room * sizeof *more);
        if (!more)
            return; /* the backtrace is incomplete, but the trap is reported */
        me->frames = more;
        me->frame_room = room;
    }
    me->frames[me->frame_count].instance_id = instance_id;
    me->frames[me->frame_count].function = function;
    me->frames[me->frame_count++].compiled = compiled;
}

bool
wpy_trapped_hook(WASMExecEnv *env)
{
    wpy_thread *me = &wpy_self;
    wpy_instance *instance = wpy_instance_of(env);
    WASMModuleInstance *wamr = instance->wamr;
    WASMInterpFrame *frame = wasm_exec_env_get_cur_frame(env);

    ASSERT_ENTERED(instance);
    if (instance->status == WPY_SUSPENDED)
        return false;
    for (; frame && (uint8 *)frame != me->top->base && me->frame_count < MOST_FRAMES;
         frame = frame->prev_frame)
        if (frame->function && !frame->function->is_import_func) {
            const uint8 *code = wasm_get_func_code(frame->function);
            uint32_t compiled = 0;
            if (code && frame->ip) /* a function that was stopped at its entry: 1 */
                compiled = frame->ip > code ? (uint32_t)(frame->ip - code) : 1;
            record_frame(me, instance->instance_id,
                         (uint32_t)(frame->function - wamr->e->functions), compiled);
        }
    return true;
}

/* The two are the same where an instance calls itself by a reference that another one made. */
void
wpy_propagate_exception(wpy_instance *from, WASMModuleInstance *to)
{
    wpy_instance *caller = to->custom_data;

    ASSERT_ENTERED(from);
    ASSERT_ENTERED(caller);
    if (caller == from)
        return;
    memcpy(to->cur_exception, from->wamr->cur_exception, sizeof to->cur_exception);
    from->wamr->cur_exception[0] = 0;
    caller->status = from->status;
    caller->status_code = from->status_code;
    caller->exception = from->exception;
    from->status = WPY_OK;
    from->exception = NULL;
}

static void
copy_text(char *to, const char *from, size_t room)
{
    size_t size = strlen(from);

    if (size >= room)
        size = room - 1;
    memcpy(to, from, size);
    to[size] = 0;
}

COLD void
wpy_push_error(const void *owner, int status, int code, const char *text, bool frames)
{
    wpy_thread *me = &wpy_self;
    wpy_error_record *record;

    if (me->record_count == WPY_ERROR_RECORDS) { /* Python won't take the oldest one any more */
        wpy_error_record_clear(&me->records[0]);
        memmove(me->records, me->records + 1, (WPY_ERROR_RECORDS - 1) * sizeof *me->records);
        me->record_count--;
    }
    record = &me->records[me->record_count++];
    record->owner = owner;
    record->status = status;
    record->code = code;
    record->exception = NULL;
    copy_text(record->text, text, sizeof record->text);
    if (frames && me->frame_count &&
        (record->frames = malloc(me->frame_count * sizeof *record->frames))) {
        memcpy(record->frames, me->frames, me->frame_count * sizeof *record->frames);
        record->frame_count = me->frame_count;
    } else { /* none, or out of memory */
        record->frames = NULL;
        record->frame_count = 0;
    }
    if (frames)
        me->frame_count = 0;
}

COLD int
wpy_record_exception(wpy_instance *instance, const void *owner)
{
    char *text = instance->wamr->cur_exception;
    int status = instance->status, code = instance->status_code;

    ASSERT_ENTERED(instance);
    WPY_ASSERT(status != WPY_SUSPENDED);
    if (status == WPY_OK)
        status = WPY_TRAP;
    wpy_push_error(owner, status, code, text, true);
    if (status == WPY_EXCEPTION) {
        wpy_error_record *record = &wpy_self.records[wpy_self.record_count - 1];

        wpy_retain(record->exception = instance->exception);
        record->release = wpy_release;
    }
    text[0] = 0;
    instance->status = WPY_OK;
    instance->exception = NULL;
    return status;
}

/* The newest record of `owner`, or NULL. */
static wpy_error_record *
newest_record(const void *owner)
{
    uint32_t i;

    for (i = wpy_self.record_count; i-- > 0;)
        if (wpy_self.records[i].owner == owner)
            return &wpy_self.records[i];
    return NULL;
}

static void
remove_record(wpy_error_record *record)
{
    wpy_thread *me = &wpy_self;
    wpy_error_record *last = &me->records[--me->record_count];

    wpy_error_record_clear(record);
    memmove(record, record + 1, (size_t)(last - record) * sizeof *record);
}

/* Takes this thread's newest error record of `owner`; its status, or WPY_OK: there is none. If the
   record has frames (out->frames), it stays until wpy_take_frames. */
int
wpy_take_error(const void *owner, wpy_error *out)
{
    wpy_error_record *record = newest_record(owner);

    out->status = WPY_OK;
    out->exception = NULL;
    if (!record)
        return WPY_OK;
    out->status = record->status;
    out->code = record->code;
    out->frames = record->frame_count;
    out->exception = record->exception; /* with its handle */
    record->exception = NULL;
    copy_text(out->text, record->text, sizeof out->text);
    if (!record->frame_count)
        remove_record(record);
    return out->status;
}

/* Writes the frames of the record that wpy_take_error returned, `size` of them at most, and removes
   the record. Returns how many were written. */
uint32_t
wpy_take_frames(const void *owner, wpy_frame *out, uint32_t size)
{
    wpy_error_record *record = newest_record(owner);
    uint32_t count;

    if (!record)
        return 0;
    count = record->frame_count < size ? record->frame_count : size;
    if (count)
        memcpy(out, record->frames, count * sizeof *out);
    remove_record(record);
    return count;
}
