/* snapshot_write.c: writes the state of a snapshot as bytes, which snapshot_read.c reads.
 *
 * The bytes hold what an instance can have changed, but for the pages of its memory, and the frames
 * of a suspended call. They hold no pointers, only offsets, and nothing that the module has anyway.
 */
#include "runtime/saved_state.h"

typedef struct {
    uint8_t *bytes; /* NULL: only counts */
    uint64_t size;
} writer;

static void
put(writer *w, const void *from, size_t size)
{
    if (w->bytes && size)
        memcpy(w->bytes + w->size, from, size);
    w->size += size;
}

static void
put_u32(writer *w, uint32_t value)
{
    put(w, &value, sizeof value);
}

static void
put_u64(writer *w, uint64_t value)
{
    put(w, &value, sizeof value);
}

static void
put_bitmap(writer *w, const bh_bitmap *map)
{
    if (map)
        put(w, map->map, (size_t)(map->end_index - map->begin_index + 7) / 8);
}

/* Where the snapshot has the frame that was at this address. */
static const WASMInterpFrame *
moved(const wpy_saved_frames *frames, const WASMInterpFrame *frame)
{
    return frame ? (const WASMInterpFrame *)((const uint8_t *)frame - frames->was + frames->stack)
                 : NULL;
}

static void
put_frames(writer *w, const wpy_snapshot *s)
{
    const wpy_saved_frames *frames = s->frames;
    const WASMInterpFrame *first = (const WASMInterpFrame *)(frames->stack + frames->at), *frame;
    uint32_t count = 0;

    for (frame = first; frame; frame = moved(frames, frame->prev_frame))
        count++;
    put_u32(w, frames->size);
    put_u32(w, frames->func);
    put_u32(w, frames->reason);
    put_u32(w, frames->host);
    put_u32(w, frames->fresh);
    put_u64(w, frames->sleeps);
    put_u64(w, frames->called_ago);
    put_u64(w, (uint64_t)frames->fuel_left);
    put_u64(w, (uint64_t)frames->slice_fuel);
    put_u64(w, (uint64_t)frames->owed);
    put_u32(w, frames->arg_count);
    put(w, frames->args, frames->arg_count * sizeof *frames->args);
    put_u32(w, frames->descriptor_count);
    for (uint32_t i = 0; i < frames->descriptor_count; i++) {
        put_u32(w, (uint32_t)frames->descriptors[i].fd);
        put_u32(w, frames->descriptors[i].output);
    }
    put_u32(w, count);
    for (frame = first; frame; frame = moved(frames, frame->prev_frame)) {
        const WASMFunctionInstance *function = frame->function;

        put_u32(w, (uint32_t)((const uint8_t *)frame - frames->stack));
        put_u32(w, (uint32_t)((const uint8_t *)frame->lp - frames->was));
        put_u32(w, function ? (uint32_t)(function - s->shared->functions) : UINT32_MAX);
        put_u32(w,
                frame->ip ? (uint32_t)(frame->ip - function->u.func->code_compiled) : UINT32_MAX);
    }
    put(w, frames->stack, frames->size);
}

/* Writes the state into `bytes`, which has room for it, and returns its size. Without `bytes`, it
   returns the size only. */
uint64_t
wpy_snapshot_write(const wpy_snapshot *s, uint8_t *bytes)
{
    writer w = {.bytes = bytes};
    uint32_t i;

    put_u32(&w, s->stack_bytes);
    put_u32(&w, s->preopens_size);
    put(&w, s->preopens, s->preopens_size);
    put_u32(&w, s->has_memory ? s->memory.cur_page_count : 0);
    put(&w, (const uint8_t *)s->block + s->globals_at, s->head - s->globals_at);
    if (s->cells)
        put(&w, s->cells, s->global_count * sizeof *s->cells);
    for (i = 0; i < s->table_count; i++) {
        put_u32(&w, s->tables[i].size);
        put(&w, s->tables[i].elements, s->tables[i].size * sizeof *s->tables[i].elements);
    }
    put_bitmap(&w, s->data_dropped);
    put_bitmap(&w, s->elem_dropped);
    put_u32(&w, s->frames != NULL);
    if (s->frames)
        put_frames(&w, s);
    return w.size;
}
