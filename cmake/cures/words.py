"""What WAMR's errors leave out: where in a module's code it found what it refuses.

Each takes its instructions where something is refused only.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TEST = "tests/test_refused.py::test_an_error_in_code_says_in_which_function_and_where"

CURES: tuple[Cure, ...] = (
    Cure(
        name="words-where",
        file=_LOADER,
        expect="""\
static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size,
                             struct WASMLoaderContext **kept)
{
""",
        replace="""\
/* Adds to the text of an error in which function it is, and how many bytes of
   the function's code were read. */
static void
wamrpy_say_where(char *error_buf, uint32 error_buf_size, uint32 func_idx,
                 uint64 offset)
{
    uint32 length = error_buf ? (uint32)strlen(error_buf) : 0;

    if (length > 0 && length < error_buf_size)
        snprintf(error_buf + length, error_buf_size - length,
                 " (function %u, byte %u of its code)", func_idx,
                 (uint32)offset);
}

static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size,
                             struct WASMLoaderContext **kept)
{
""",
        why="`type mismatch` in a module of ten thousand functions helps nobody.",
        test=_TEST,
    ),
    Cure(
        name="words-where",
        file=_LOADER,
        expect="""\
    wasm_loader_ctx_destroy(loader_ctx);

    (void)table_idx;
""",
        replace="""\
    wasm_loader_ctx_destroy(loader_ctx);
    if (!return_value)
        wamrpy_say_where(error_buf, error_buf_size,
                         module->import_function_count + cur_func_idx,
                         (uint64)(p - func->code));

    (void)table_idx;
""",
        why="Both ways of the loader, the quick and the slow one, end here.",
        test=_TEST,
    ),
)
