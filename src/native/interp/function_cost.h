/* function_cost.h: an upper bound for the cost of a function's call.
 *
 * Included by wasm_loader.c, before the loop that reads a function's code.
 * `cost` is the number of bytes of code that a call executes, or UINT32_MAX
 * where there is no bound: because of a loop, an indirect call, recursion,
 * memory.grow, or a bulk instruction. A call of a function with a small cost
 * keeps Python's GIL. */

/* Adds to `func` the cost of calling the function func_idx. */
static void
wamrpy_add_cost(const WASMModule *module, WASMFunction *func, uint32 cur_func_idx, uint32 func_idx)
{
    uint32 imports = module->import_function_count, cost = 100;

    if (func_idx < imports)
        func->calls_imports = true;
    else if (func_idx - imports >= cur_func_idx)
        cost = UINT32_MAX; /* its cost is not known yet, or the call is recursive */
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
