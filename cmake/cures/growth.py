"""Cures of what took more than in proportion: loading compared each thing with all before it.

A module of two megabytes with a hundred thousand types, or names, took a minute to load, and
nothing can interrupt that. tests/ratchet/test_growth.py counts instructions and finds such curves.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_RUNTIME = "core/iwasm/interpreter/wasm_runtime.c"
_TEST = "tests/ratchet/test_growth.py::test_loading_takes_in_proportion"

CURES: tuple[Cure, ...] = (
    Cure(
        name="names-in-proportion",
        file=_RUNTIME,
        expect="""\
    /* Search const str list */
    node = module->const_str_list;
    while (node) {
        node_next = node->next;
        if (strlen(node->str) == len && !memcmp(node->str, str, len))
            break;
        node = node_next;
    }
""",
        replace="""\
    /* Search the newest of the const str list: finding one saves its bytes,
       as for the module's name in each of many imports, and is no must */
    uint32 searched = 0;
    node = module->const_str_list;
    while (node) {
        node_next = node->next;
        if (strlen(node->str) == len && !memcmp(node->str, str, len))
            break;
        node = ++searched < 8 ? node_next : NULL;
    }
""",
        why="Each name of an import, an export or a function was compared with all before it.",
        test=_TEST,
    ),
    Cure(
        name="types-in-proportion",
        file=_LOADER,
        expect="""\
static bool
load_type_section(const uint8 *buf, const uint8 *buf_end, WASMModule *module,
                  char *error_buf, uint32 error_buf_size)
{
""",
        replace="""\
#if WASM_ENABLE_GC == 0
/* Where a type of this content may be in a table of so many slots, a power of
   two. What the hash begins with differs from process to process. */
static uint32
hash_func_type(const WASMFuncType *type, uint32 mask)
{
    uint64 hash = (uint64)(uintptr_t)&hash_func_type;
    uint32 i, count = (uint32)type->param_count + type->result_count;

    hash = (hash ^ type->param_count) * 0x9E3779B97F4A7C15ull;
    for (i = 0; i < count; i++)
        hash = (hash ^ (hash >> 29) ^ type->types[i]) * 0x9E3779B97F4A7C15ull;
    return (uint32)(hash >> 32) & mask;
}

/* Of equal types only the first stays: types are compared by address. */
static bool
share_equal_types(WASMModule *module, char *error_buf, uint32 error_buf_size)
{
    uint32 *slots, *slot, mask = 15, i;
    bool ret = false;

    while (mask < UINT32_MAX / 2 && mask / 2 < module->type_count)
        mask = mask * 2 + 1;
    if (!(slots = loader_malloc(sizeof(uint32) * ((uint64)mask + 1), error_buf,
                                error_buf_size)))
        return false;
    for (i = 0; i < module->type_count; i++) {
        WASMFuncType *type = module->types[i], *other = NULL;
        uint32 at = hash_func_type(type, mask);

        for (; *(slot = &slots[at]); at = (at + 1) & mask) {
            other = module->types[*slot - 1];
            if (wasm_type_equal(type, other, module->types, i))
                break;
        }
        if (!*slot) {
            *slot = i + 1;
            continue;
        }
        if (other->ref_count == UINT16_MAX) {
            set_error_buf(error_buf, error_buf_size,
                          "wasm type's ref count too large");
            goto fail;
        }
        destroy_wasm_type(type);
        module->types[i] = other;
        other->ref_count++;
    }
    ret = true;
fail:
    wasm_runtime_free(slots);
    return ret;
}
#endif

static bool
load_type_section(const uint8 *buf, const uint8 *buf_end, WASMModule *module,
                  char *error_buf, uint32 error_buf_size)
{
""",
        why="Each type was compared with all before it.",
        test=_TEST,
    ),
    Cure(
        name="types-in-proportion",
        file=_LOADER,
        expect="""\
            /* If there is already a same type created, use it instead */
            for (j = 0; j < i; j++) {
                if (wasm_type_equal(type, module->types[j], module->types, i)) {
                    if (module->types[j]->ref_count == UINT16_MAX) {
                        set_error_buf(error_buf, error_buf_size,
                                      "wasm type's ref count too large");
                        return false;
                    }
                    destroy_wasm_type(type);
                    module->types[i] = module->types[j];
                    module->types[j]->ref_count++;
                    break;
                }
            }
        }
#else  /* else of WASM_ENABLE_GC == 0 */
""",
        replace="""\
        }
        if (!share_equal_types(module, error_buf, error_buf_size))
            return false;
#else  /* else of WASM_ENABLE_GC == 0 */
""",
        why="The same, all at once when all are there.",
        test=_TEST,
    ),
    Cure(
        name="nesting-in-proportion",
        file=_LOADER,
        expect="""\
            MEM_REALLOC(                                                  \\
                ctx->frame_csp_bottom, ctx->frame_csp_size,               \\
                (uint32)(ctx->frame_csp_size + 8 * sizeof(BranchBlock))); \\
            ctx->frame_csp_size += (uint32)(8 * sizeof(BranchBlock));     \\
""",
        replace="""\
            MEM_REALLOC(ctx->frame_csp_bottom, ctx->frame_csp_size,       \\
                        ctx->frame_csp_size * 2);                         \\
            ctx->frame_csp_size *= 2;                                     \\
""",
        why="Blocks in blocks moved all of them at every eighth: quick where the allocator remaps "
        "pages, 20 s for 65 thousand where it copies.",
        test="tests/stress/test_memory_failures.py::test_nesting_takes_few_allocations",
    ),
)
