/* backtrace.c: from WAMR's exceptions to records that Python takes.
 *
 * WAMR keeps an exception as a text in the instance. Ours have a status beside it
 * (wpy_instance.status): who stopped the code, and why. While an exception unwinds, the frames it
 * passes are noted in the thread, innermost first, also across instances. The entry from Python
 * turns all that into a record of the thread, tagged with the function that was called, and answers
 * a status; Python then takes the record. Between the two a signal handler or a destructor may run
 * other calls that fail, so records are a short stack; and when what a handler raises comes out
 * there, nobody takes the record. So whoever asks gets the newest one of its function, and each
 * status has one of its own: what was left behind is never seen, and pushed out in time.
 */
#include "core/core.h"

#define MOST_FRAMES 1000

/* Sets an exception that is to come out with this status. */
void
wpy_stop(WASMModuleInstance *wamr, int status, int code, const char *text)
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
note_frame(wpy_thread *me, uint64_t instance_id, uint32_t function, uint32_t compiled)
{
    if (me->frame_count == me->frame_room) {
        uint32_t room = me->frame_room ? me->frame_room * 2 : 16;
        wpy_frame *more = realloc(me->frames, room * sizeof *more);
        if (!more)
            return; /* a trap with fewer frames is still a trap */
        me->frames = more;
        me->frame_room = room;
    }
    me->frames[me->frame_count].instance_id = instance_id;
    me->frames[me->frame_count].function = function;
    me->frames[me->frame_count++].compiled = compiled;
}

/* The interpreter leaves an activation with an exception, and its frames still stand. */
void
wpy_trapped_hook(WASMExecEnv *env)
{
    wpy_thread *me = &wpy_self;
    wpy_instance *instance = wpy_instance_of(env);
    WASMModuleInstance *wamr = instance->wamr;
    WASMInterpFrame *frame = wasm_exec_env_get_cur_frame(env);

    for (; frame && (uint8 *)frame != me->top->base && me->frame_count < MOST_FRAMES;
         frame = frame->prev_frame)
        if (frame->function && !frame->function->is_import_func) {
            const uint8 *code = wasm_get_func_code(frame->function);
            uint32_t compiled = 0;
            if (code && frame->ip) /* one that was stopped at its entry is where it begins */
                compiled = frame->ip > code ? (uint32_t)(frame->ip - code) : 1;
            note_frame(me, instance->instance_id, (uint32_t)(frame->function - wamr->e->functions),
                       compiled);
        }
}

/* Makes the instance's exception the one of `to`, whose code called it. An instance may call
   itself, by a reference that another one made of its function: then the exception is where it
   belongs. */
void
wpy_exception_move(wpy_instance *from, WASMModuleInstance *to)
{
    wpy_instance *caller = to->custom_data;

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

/* A record for `who`; with the thread's frames, if they belong to it. */
COLD void
wpy_record_push(const void *who, int status, int code, const char *text, bool frames)
{
    wpy_thread *me = &wpy_self;
    wpy_record *record;

    if (me->record_count == WPY_RECORDS) { /* nobody came for the oldest */
        wpy_record_forget(&me->records[0]);
        memmove(me->records, me->records + 1, (WPY_RECORDS - 1) * sizeof *me->records);
        me->record_count--;
    }
    record = &me->records[me->record_count++];
    record->who = who;
    record->status = status;
    record->code = code;
    copy_text(record->text, text, sizeof record->text);
    record->frames = NULL;
    record->exception = NULL;
    record->frame_count = 0;
    if (frames && me->frame_count) {
        record->frames = malloc(me->frame_count * sizeof *record->frames);
        if (record->frames) {
            memcpy(record->frames, me->frames, me->frame_count * sizeof *record->frames);
            record->frame_count = me->frame_count;
        }
    }
    if (frames)
        me->frame_count = 0;
}

/* The newest record is `who`'s from now on; its status. */
int
wpy_record_pass(const void *who)
{
    wpy_record *record = &wpy_self.records[wpy_self.record_count - 1];

    record->who = who;
    return record->status;
}

/* A call from Python ended with an exception: records and clears it; the status. */
COLD int
wpy_after_exception(wpy_func *func)
{
    wpy_instance *instance = func->instance;
    char *text = instance->wamr->cur_exception;
    int status = instance->status, code = instance->status_code;

    if (status == WPY_OK)
        status = WPY_TRAP;
    wpy_record_push(func, status, code, text, true);
    if (status == WPY_EXCEPTION) {
        wpy_retain(instance->exception);
        wpy_self.records[wpy_self.record_count - 1].exception = instance->exception;
        wpy_self.records[wpy_self.record_count - 1].release = wpy_release;
    }
    text[0] = 0;
    instance->status = WPY_OK;
    instance->exception = NULL;
    return status;
}

static wpy_record *
newest_of(const void *who)
{
    uint32_t i;

    for (i = wpy_self.record_count; i-- > 0;)
        if (wpy_self.records[i].who == who)
            return &wpy_self.records[i];
    return NULL;
}

static void
end_record(wpy_record *record)
{
    wpy_thread *me = &wpy_self;
    wpy_record *last = &me->records[--me->record_count];

    wpy_record_forget(record);
    memmove(record, record + 1, (size_t)(last - record) * sizeof *record);
}

/* The newest record of `who`: its status, with its frames left for wpy_take_frames. WPY_OK: there
 * is none. */
int
wpy_take_error(const void *who, wpy_error *out)
{
    wpy_record *record = newest_of(who);

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
        end_record(record);
    return out->status;
}

/* Ends the record that wpy_take_error announced frames for; answers how many were written. */
uint32_t
wpy_take_frames(const void *who, wpy_frame *out, uint32_t size)
{
    wpy_record *record = newest_of(who);
    uint32_t count;

    if (!record)
        return 0;
    count = record->frame_count < size ? record->frame_count : size;
    if (count)
        memcpy(out, record->frames, count * sizeof *out);
    end_record(record);
    return count;
}
