/* What a call of a function may cost, at most.
 *
 * Included by wasm_loader.c, in front of the loop that reads a function's code.
 * `cost` is the number of bytes of code that a call runs through, or UINT32_MAX
 * where that has no bound: a loop, an indirect call, recursion, memory.grow, and
 * bulk instructions. A call of a function with a small cost keeps Python's GIL. */

/* What calls func_idx costs this function. */
static void
wamrpy_add_cost(const WASMModule *module, WASMFunction *func, uint32 cur_func_idx, uint32 func_idx)
{
    uint32 imports = module->import_function_count, cost = 100;

    if (func_idx < imports)
        func->calls_imports = true;
    else if (func_idx - imports >= cur_func_idx)
        cost = UINT32_MAX; /* not known yet, or it calls itself */
    else {
        const WASMFunction *callee = module->functions[func_idx - imports];
        cost = callee->cost;
        func->calls_imports |= callee->calls_imports;
    }
    if (cost > INT32_MAX / 2 || func->cost > INT32_MAX / 2)
        func->cost = UINT32_MAX;
    else
        func->cost += cost;
}
