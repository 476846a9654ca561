/* description.h: a description of a module in progress, for describe.c and finish_description.c. */
#ifndef WPY_DESCRIPTION_H
#define WPY_DESCRIPTION_H

#include "runtime/binary_reader.h"
#include "runtime/runtime.h"

typedef struct {
    uint32_t params, results; /* offsets into the bytes */
    uint32_t param_count, result_count;
} wpy_signature;

typedef struct {
    uint32_t *types;
    uint32_t count, room;
} wpy_index_list;

/* A description in progress. */
typedef struct {
    const uint8_t *bytes, *end;
    wpy_module *module;
    wpy_signature *types; /* the type section */
    uint32_t type_count;
    wpy_index_list functions, tags; /* the type of each, imported ones first */
    bool long_types;                /* some value types may take two bytes */
    uint32_t space_count, space_room;
} wpy_description;

/* Returns the block. NULL means out of memory, as opposed to a malformed module. */
static inline void *
check_memory(wpy_description *d, void *block)
{
    if (!block)
        d->module->no_memory = true;
    return block;
}

static inline bool
begins_long_type(uint8_t byte)
{
    return byte == 0x63 || byte == 0x64;
}

/* A value type; (ref exn) and (ref null exn) are exnref. */
static inline uint8_t
read_value_type(wpy_reader *r)
{
    uint8_t type = wpy_read_byte(r);

    if (begins_long_type(type) && r->at < r->end && *r->at == VALUE_TYPE_EXNREF)
        type = wpy_read_byte(r);
    return type;
}

/* finish_description.c: after the last section. False: out of memory. */
bool wpy_finish_description(wpy_description *d);

#endif
