"""What a function may cost: noted by the loader, so that a call of a short one may keep the GIL.

The cost is the bytes of code that a call runs through at most: its own body, as nothing in it is
run twice, and once for each place of a call those of the functions called. Without end is what has
a loop, calls what is not known (through a table, a function further down, itself), grows a memory,
or has an instruction of the bulk ones, which work on any number of bytes. What an import is, only
an instance knows (wpy_func_bounded): it is noted that one is called, and its cost is CALLBACK,
about as long as Python takes to be called.
"""

from __future__ import annotations

from . import Cure

_HEADER = "core/iwasm/interpreter/wasm.h"
_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_TEST = "tests/test_bounded.py::test_what_keeps_the_gil"

CALLBACK = 100

CURES: tuple[Cure, ...] = (
    Cure(
        name="bounded",
        file=_HEADER,
        expect="""\
    uint32 max_block_num;
    uint32 code_size;
""",
        replace="""\
    uint32 max_block_num;
    /* the bytes of code that a call runs through at most */
    uint32 cost;
    bool calls_imports;
    uint32 code_size;
""",
        why="Room for the cost.",
        test=_TEST,
    ),
    Cure(
        name="bounded",
        file=_LOADER,
        expect="""\
    PUSH_CSP(LABEL_TYPE_FUNCTION, func_block_type, p);

    while (p < p_end) {
        opcode = *p++;
""",
        replace="""\
    PUSH_CSP(LABEL_TYPE_FUNCTION, func_block_type, p);

    func->cost = func->code_size;
    while (p < p_end) {
        opcode = *p++;
        if (opcode == WASM_OP_LOOP || opcode == WASM_OP_CALL_INDIRECT
            || opcode == WASM_OP_RETURN_CALL_INDIRECT
            || opcode == WASM_OP_MEMORY_GROW)
            func->cost = UINT32_MAX;
""",
        why="Each byte of a body is run at most once, where there is no loop.",
        test=_TEST,
    ),
    Cure(
        name="bounded",
        file=_LOADER,
        expect="""\
                    if (func_idx < module->import_function_count)
                        func_type = module->import_functions[func_idx]
                                        .u.function.func_type;
                    else
                        func_type =
""",
        replace="""\
                    wamrpy_add_cost(module, func, cur_func_idx, func_idx);
                    if (func_idx < module->import_function_count)
                        func_type = module->import_functions[func_idx]
                                        .u.function.func_type;
                    else
                        func_type =
""",
        why="A call costs what the function costs.",
        test=_TEST,
    ),
    Cure(
        name="bounded",
        file=_LOADER,
        expect="""\
static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size)
{
""",
        replace=f"""\
/* What calls func_idx costs this function. */
static void
wamrpy_add_cost(const WASMModule *module, WASMFunction *func,
                uint32 cur_func_idx, uint32 func_idx)
{{
    uint32 imports = module->import_function_count, cost = {CALLBACK};

    if (func_idx < imports)
        func->calls_imports = true;
    else if (func_idx - imports >= cur_func_idx)
        cost = UINT32_MAX; /* not known yet, or it calls itself */
    else {{
        const WASMFunction *callee = module->functions[func_idx - imports];
        cost = callee->cost;
        func->calls_imports |= callee->calls_imports;
    }}
    if (cost > INT32_MAX / 2 || func->cost > INT32_MAX / 2)
        func->cost = UINT32_MAX;
    else
        func->cost += cost;
}}

static bool
wasm_loader_prepare_bytecode(WASMModule *module, WASMFunction *func,
                             uint32 cur_func_idx, char *error_buf,
                             uint32 error_buf_size)
{{
""",
        why="In one place.",
        test=_TEST,
    ),
    Cure(
        name="bounded",
        file=_LOADER,
        expect="""\
                emit_byte(loader_ctx, ((uint8)opcode1));
#endif
                switch (opcode1) {
                    case WASM_OP_I32_TRUNC_SAT_S_F32:
""",
        replace="""\
                emit_byte(loader_ctx, ((uint8)opcode1));
#endif
                if (opcode1 >= WASM_OP_MEMORY_INIT)
                    func->cost = UINT32_MAX;
                switch (opcode1) {
                    case WASM_OP_I32_TRUNC_SAT_S_F32:
""",
        why="The bulk instructions work on any number of bytes.",
        test=_TEST,
    ),
)
