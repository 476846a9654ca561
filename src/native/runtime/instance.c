/* instance.c: what an instance is once it is made: handles on what it exports, its close, its end.
 *
 * instantiate.c makes it.
 */
#include "core/core.h"

/* What close means once nothing runs in it: all of WAMR's goes, what the group shares stays. */
void
wpy_instance_shut(wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    WASMExecEnv *env;

    ASSERT_ENTERED_OR_DYING(instance);
    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSED);
    ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_CLOSE_PENDING);
    if (!wamr)
        return;
    wpy_registry_lock(); /* another thread may look at its fuel */
    env = instance->env;
    instance->env = NULL;
    wpy_registry_unlock();
    if (env)
        wasm_exec_env_destroy(env);
    wamr->cur_exec_env = NULL;
    wasm_runtime_deinstantiate((WASMModuleInstanceCommon *)wamr);
    instance->wamr = NULL;
    instance->exception = NULL;
    wpy_budget_give(instance->budget, WPY_TABLE_ELEMENTS, instance->own_elements);
    instance->own_elements = 0;
    if (instance->wasi)
        wpy_wasi_kind_of(instance->wasi)->release(instance->wasi);
    instance->wasi = NULL;
}

/* Closes it now, or, while it runs (in a callback of its own, or in another thread) or another
   thread is in its group, when that call returns. */
int
wpy_instance_close(wpy_instance *instance)
{
    bool held, shut = false;

    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSED);
    if (ATOMIC_LOAD(&instance->depth) == 0 && wpy_group_enter(&instance->object, &held) == WPY_OK) {
        if ((shut = instance->depth == 0))
            wpy_instance_shut(instance);
        wpy_group_leave(&instance->object, held);
    }
    if (!shut) { /* the call that runs in it does, or whoever is in the group when it leaves */
        ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSE_PENDING);
        wpy_group_sweep(&instance->object);
    }
    return WPY_OK;
}

static void
shut_instance(wpy_object *object)
{
    wpy_instance_shut((wpy_instance *)object);
}

static bool
instance_waits(const wpy_object *object)
{
    const wpy_instance *instance = (const wpy_instance *)object;

    return (ATOMIC_LOAD(&instance->attention) & WPY_ATTN_CLOSE_PENDING) &&
           ATOMIC_LOAD(&instance->depth) == 0;
}

/* With its group. */
static void
free_instance(wpy_object *object)
{
    wpy_instance *instance = (wpy_instance *)object;
    uint32_t i;

    if (instance->imported)
        for (i = 0; i < instance->module->wamr->import_function_count; i++)
            if (instance->imported[i] && instance->imported[i]->dispatch)
                wpy_release(instance->imported[i]);
    wpy_refs_give(instance);
    wpy_budget_give(instance->budget, WPY_TABLE_ELEMENTS, instance->own_elements);
    wpy_budget_release(instance->budget);
    if (instance->wasi)
        wpy_wasi_kind_of(instance->wasi)->release(instance->wasi);
    free(instance->imported);
    free(instance->import_structs);
    free(instance->funcs);
    free(instance->tables);
    free(instance->globals);
    free(instance->tags);
    wpy_module_release(instance->module);
    free(instance);
}

const wpy_kind wpy_instance_kind = {
    .shut = shut_instance, .waits = instance_waits, .free = free_instance};

/* ---- exports: handles ---- */

wpy_memory *
wpy_instance_memory(wpy_instance *instance)
{
    if (instance->memory)
        wpy_retain(instance->memory);
    return instance->memory;
}

wpy_table *
wpy_instance_table(wpy_instance *instance, uint32_t index)
{
    uint32_t count = instance->module->table_count;
    wpy_table *table = instance->tables && index < count ? instance->tables[index] : NULL;

    if (table)
        wpy_retain(table);
    return table;
}

wpy_global *
wpy_instance_global(wpy_instance *instance, uint32_t index)
{
    uint32_t count = instance->module->global_count;
    wpy_global *global = instance->globals && index < count ? instance->globals[index] : NULL;

    if (global)
        wpy_retain(global);
    return global;
}
