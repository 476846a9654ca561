"""What makes loading take half the time: a function's code is gone through once, not twice.

WAMR goes through it a first time to count: how much it will emit, how many slots are dynamic, which
constants there are. Only then it knows where constants and kept locals are, and emits. Here it
emits at once, into room that all functions of a module share, and writes for now

- a constant as its number among the function's constants, below zero,
- a slot that keeps a local's old value as KEPT and its number,
- an address within the code as one in that room; one that is not known yet, as that of the place
  before it that waits for the same one.

Each of these places is noted. At the end constants are sorted, places get what WAMR would have
written, and the code is copied to where it stays. Nothing else differs: what is decided on the way
depends on a slot's sign and on its order among dynamic ones, and these are the same. Where that is
not sure (very large functions, a result's slot compared with a kept one), and for all that is
refused, the function is begun again in WAMR's own way: what is valid, and what an error says, is as
it was. Its C is in ``once_text`` and ``once_consts``.
"""

from __future__ import annotations

from . import Cure
from .once_consts import CONSTS
from .once_text import BEGIN, EMIT, FIELDS, LATER

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TESTS = "tests/regressions/test_loading.py::"
_TEST = _TESTS + "test_code_is_what_two_passes_emit"


def _cure(expect: str, replace: str, why: str) -> Cure:
    return Cure(name="once", file=_LOADER, expect=expect, replace=replace, why=why, test=_TEST)


_PARAMETERS = """\
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size)"""

CURES: tuple[Cure, ...] = (
    _cure(
        f"""\
static bool
{_PARAMETERS};
""",
        f"""\
struct WASMLoaderContext;
static void
wasm_loader_ctx_destroy(struct WASMLoaderContext *ctx);

static bool
{_PARAMETERS[:-1]},
                             struct WASMLoaderContext **kept);
""",
        "What a function leaves for the next one.",
    ),
    _cure(
        """\
    for (i = 0; i < module->function_count; i++) {
        WASMFunction *func = module->functions[i];
        if (!wasm_loader_prepare_bytecode(module, func, i, error_buf,
                                          error_buf_size)) {
            return false;
        }

        if (i == module->function_count - 1
            && func->code + func->code_size != buf_code_end) {
""",
        """\
    struct WASMLoaderContext *kept = NULL;
    for (i = 0; i < module->function_count; i++) {
        if (!wasm_loader_prepare_bytecode(module, module->functions[i], i,
                                          error_buf, error_buf_size, &kept)) {
            return false;
        }
    }
    wasm_loader_ctx_destroy(kept);
    if (module->function_count > 0) {
        WASMFunction *func = module->functions[module->function_count - 1];
        if (func->code + func->code_size != buf_code_end) {
""",
        "The same.",
    ),
    _cure(
        "    uint32 code_compiled_peak_size;\n#endif\n} WASMLoaderContext;\n",
        FIELDS.replace("} WASMLoaderContext;\n", "#endif\n} WASMLoaderContext;\n"),
        "Room, and what is noted.",
    ),
    _cure(
        "    BranchBlockPatch *patch_list;\n",
        "    BranchBlockPatch *patch_list;\n"
        "    uint8 *later[2]; /* by patch type: the last place of its chain */\n",
        "No memory for each branch.",
    ),
    _cure(
        """\
        if (ctx->aliases)
            wasm_runtime_free(ctx->aliases);
""",
        """\
        if (ctx->aliases)
            wasm_runtime_free(ctx->aliases);
        if (ctx->room)
            wasm_runtime_free(ctx->room);
        if (ctx->places)
            wasm_runtime_free(ctx->places);
        if (ctx->jumps)
            wasm_runtime_free(ctx->jumps);
        if (ctx->sorted)
            wasm_runtime_free(ctx->sorted);
""",
        "Freed with the rest.",
    ),
    _cure(
        """\
        if (!add_label_patch_to_list(loader_ctx->frame_csp - 1, type,        \\
                                     loader_ctx->p_code_compiled, error_buf, \\
                                     error_buf_size))                        \\
            goto fail;                                                       \\
        /* label address, to be patched */                                   \\
        wasm_loader_emit_ptr(loader_ctx, NULL);                              \\
""",
        """\
        wamrpy_emit_later(loader_ctx, loader_ctx->frame_csp - 1, type);      \\
""",
        "An address to come.",
    ),
    _cure(
        """\
static bool
preserve_referenced_local(WASMLoaderContext *loader_ctx, uint8 opcode,
""",
        EMIT,
        "Writes what is noted, and looks for room.",
    ),
    _cure(
        """\
static bool
wasm_loader_emit_br_info(WASMLoaderContext *ctx, BranchBlock *frame_csp,
""",
        LATER,
        "Addresses to come, in chains.",
    ),
    _cure(
        """\
        wasm_loader_emit_ptr(ctx, frame_csp->code_compiled);
    }
    else {
        if (!add_label_patch_to_list(frame_csp, PATCH_END, ctx->p_code_compiled,
                                     error_buf, error_buf_size))
            return false;
        /* label address, to be patched */
        wasm_loader_emit_ptr(ctx, NULL);
    }
""",
        """\
        wasm_loader_emit_ptr(ctx, frame_csp->code_compiled);
        if (ctx->once)
            wamrpy_note_jump(ctx, ctx->p_code_compiled - sizeof(void *));
    }
    else
        wamrpy_emit_later(ctx, frame_csp, PATCH_END);
""",
        "A branch.",
    ),
    _cure(
        """\
    if (ctx->p_code_compiled == NULL) {
        if (!check_offset_push(ctx, error_buf, error_buf_size))
            return false;
    }

    if (!is_32bit_type(type))
""",
        """\
    if ((ctx->p_code_compiled == NULL || ctx->once)
        && !check_offset_push(ctx, error_buf, error_buf_size))
        return false;

    if (!is_32bit_type(type))
""",
        "The stack grows in the only pass as in the first of two.",
    ),
    _cure(
        """\
        if (ctx->p_code_compiled == NULL) {
            if (!check_offset_push(ctx, error_buf, error_buf_size))
                return false;
        }

        ctx->frame_offset++;
""",
        """\
        if ((ctx->p_code_compiled == NULL || ctx->once)
            && !check_offset_push(ctx, error_buf, error_buf_size))
            return false;

        ctx->frame_offset++;
""",
        "The same.",
    ),
    _cure(
        """\
        emit_operand(ctx, ctx->dynamic_offset);
        *(ctx->frame_offset)++ = ctx->dynamic_offset;
""",
        """\
        if (ctx->dynamic_offset < 0)
            ctx->again = ctx->once;
        emit_operand(ctx, ctx->dynamic_offset);
        *(ctx->frame_offset)++ = ctx->dynamic_offset;
""",
        "Behind a branch, a dynamic slot may be below zero, and seem a constant.",
    ),
    _cure(
        """\
    ctx->frame_csp->dynamic_offset = ctx->dynamic_offset;
""",
        """\
    ctx->frame_csp->dynamic_offset = ctx->dynamic_offset;
    if (ctx->dynamic_offset < 0)
        ctx->again = ctx->once;
""",
        "The same.",
    ),
    _cure(
        """\
                            if (loader_ctx->p_code_compiled == NULL) {
                                loader_ctx->frame_offset += cell_num;
""",
        """\
                            if (loader_ctx->p_code_compiled == NULL
                                || loader_ctx->once) {
                                loader_ctx->frame_offset += cell_num;
""",
        "The same.",
    ),
    _cure(
        """\
static bool
wasm_loader_get_const_offset(WASMLoaderContext *ctx, uint8 type, void *value,
                             int16 *offset, char *error_buf,
                             uint32 error_buf_size)
{
""",
        CONSTS,
        "Constants have numbers until all are known.",
    ),
    _cure(
        """\
        if (block->dynamic_offset != *(loader_ctx->frame_offset - cell)) {
""",
        """\
        wamrpy_compare(loader_ctx, block->dynamic_offset,
                       *(loader_ctx->frame_offset - cell));
        if (block->dynamic_offset != *(loader_ctx->frame_offset - cell)) {
""",
        "Where a number might be taken for another.",
    ),
    _cure(
        """\
        if (cells == 4) {
            bool needs_copy = false;
""",
        """\
        if (cells == 4)
            loader_ctx->again = loader_ctx->once;
        else
            wamrpy_compare(loader_ctx, dynamic_offset - cells,
                           *(frame_offset - cells));
        if (cells == 4) {
            bool needs_copy = false;
""",
        "The same, of several results; all four cells of a vector are compared.",
    ),
    _cure(
        f"""\
static bool
{_PARAMETERS}
{{
    uint8 *p =""",
        BEGIN
        + """\
    uint8 *p =""",
        "Begins a function.",
    ),
    _cure(
        """\
    if (!(loader_ctx = wasm_loader_ctx_init(func, error_buf, error_buf_size))) {
        goto fail;
    }
""",
        """\
begin:
    if (!(loader_ctx = traced || twice
                           ? wasm_loader_ctx_init(func, error_buf,
                                                  error_buf_size)
                           : wamrpy_begin(*kept, func, error_buf,
                                          error_buf_size))) {
        *kept = NULL;
        goto fail;
    }
""",
        "Where it may begin again. Who traces wants to know the code's final place.",
    ),
    _cure(
        """\
    const bool traced = wamrpy_tracing;
""",
        """\
    const bool traced = wamrpy_tracing;
    bool twice = false;
""",
        "Whether it did.",
    ),
    _cure(
        """\
    loader_ctx->preserved_local_offset = INT16_MAX;
""",
        """\
    loader_ctx->preserved_local_offset =
        loader_ctx->once ? WAMRPY_KEPT : INT16_MAX;
""",
        "The number of the first slot that keeps a local.",
    ),
    _cure(
        """\
    if (loader_ctx->p_code_compiled == NULL)
        goto re_scan;

""",
        """\
    if (loader_ctx->once) {
        if (!wamrpy_finish(loader_ctx, func))
            goto fail;
        loader_ctx->once = false;
    }
    else if (loader_ctx->p_code_compiled == NULL)
        goto re_scan;
    else
        twice = true;

""",
        "All is known, or can be after a second pass.",
    ),
    _cure(
        """\
fail:
    wasm_loader_ctx_destroy(loader_ctx);

    (void)table_idx;
""",
        """\
fail:
    if (return_value && !twice && !traced) {
        wamrpy_forget_aliases(loader_ctx, 0);
        *kept = loader_ctx;
        return true;
    }
    *kept = NULL;
    if (loader_ctx && loader_ctx->once) {
        wasm_loader_ctx_destroy(loader_ctx);
        twice = true;
        pending_exception = false;
        last_op = 0;
        p = func->code;
        goto begin;
    }
    wasm_loader_ctx_destroy(loader_ctx);

    (void)table_idx;
""",
        "What is left for the next function; or twice, after all.",
    ),
)
