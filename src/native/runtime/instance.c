/* instance.c: instances that exist: their exports, and how they are closed and freed.
 *
 * instantiate.c makes them.
 */
#include "runtime/shared_code.h"
#include "runtime/wasm_stack.h"

/* Ends its uses of a snapshot and of shared arrays. */
static COLD void
leave_snapshot(wpy_instance *instance)
{
    wpy_snapshot *snapshot = instance->snapshot;

    wpy_shared_code_release(instance->shared);
    instance->shared = NULL;
    instance->snapshot = NULL;
    if (snapshot)
        instance->leave_snapshot(snapshot);
}

void
wpy_instance_close_now(wpy_instance *instance)
{
    WASMModuleInstance *wamr = instance->wamr;
    WASMExecEnv *env;

    ASSERT_ENTERED_OR_DYING(instance);
    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSED);
    ATOMIC_CLEAR_BITS_SEQ(&instance->attention, (uint32_t)WPY_ATTN_CLOSE_PENDING);
    if (!wamr)
        return;
    if (UNLIKELY(instance->suspended != NULL))
        wpy_forget_suspended(instance);
    wpy_registry_lock(); /* another thread may read its fuel */
    env = instance->env;
    instance->env = NULL;
    wpy_registry_unlock();
    if (env)
        wpy_stack_free(env, instance->generation != 0 || instance->snapshot);
    wamr->cur_exec_env = NULL;
    if (wamr->global_data) /* globals may have secrets, too */
        wpy_wipe(wamr->global_data, wamr->global_data_size);
    wasm_runtime_deinstantiate((WASMModuleInstanceCommon *)wamr);
    WPY_ASSERT(!instance->wamr); /* wpy_unlink_hook has forgotten it, under the lock */
    if (UNLIKELY(instance->shared != NULL))
        leave_snapshot(instance);
    wpy_budget_refund(instance->budget, WPY_TABLE_ELEMENTS, instance->inline_elements);
    instance->inline_elements = 0;
    if (instance->wasi)
        wpy_wasi_ops_of(instance->wasi)->release(instance->wasi);
    instance->wasi = NULL;
}

/* Closes the instance now: WPY_OK. If a call is open in it, or another thread has the lock of its
   group, that call or thread closes the instance when it ends or releases the lock: WPY_BUSY. Any
   thread; waits 50 ms at most, so not with the GIL. */
int
wpy_instance_close(wpy_instance *instance)
{
    bool acquired, closed = false;

    ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSED);
    if (ATOMIC_LOAD(&instance->depth) == 0 &&
        wpy_group_enter(&instance->object, &acquired) == WPY_OK) {
        if ((closed = instance->depth == 0))
            wpy_instance_close_now(instance);
        wpy_group_leave(&instance->object, acquired);
    }
    if (!closed) { /* left to the open call, or to the thread that has the lock */
        ATOMIC_SET_BITS_SEQ(&instance->attention, WPY_ATTN_CLOSE_PENDING);
        wpy_group_close_pending(&instance->object);
    }
    return closed ? WPY_OK : WPY_BUSY;
}

static void
close_instance(wpy_object *object)
{
    wpy_instance_close_now((wpy_instance *)object);
}

static bool
instance_close_pending(const wpy_object *object)
{
    const wpy_instance *instance = (const wpy_instance *)object;

    return (ATOMIC_LOAD(&instance->attention) & WPY_ATTN_CLOSE_PENDING) &&
           ATOMIC_LOAD(&instance->depth) == 0;
}

static void
free_instance(wpy_object *object)
{
    wpy_instance *instance = (wpy_instance *)object;
    uint32_t i;

    if (instance->imported)
        for (i = 0; i < instance->module->wamr->import_function_count; i++)
            if (instance->imported[i] && instance->imported[i]->dispatch)
                wpy_release(instance->imported[i]);
    if (UNLIKELY(instance->shared != NULL))
        leave_snapshot(instance);
    wpy_refs_free(instance);
    wpy_budget_refund(instance->budget, WPY_TABLE_ELEMENTS, instance->inline_elements);
    wpy_budget_release(instance->budget);
    if (instance->wasi)
        wpy_wasi_ops_of(instance->wasi)->release(instance->wasi);
    free(instance->imported);
    free(instance->import_structs);
    wpy_funcs_free(instance->funcs, instance->func_count);
    free(instance->tables);
    free(instance->globals);
    free(instance->tags);
    wpy_module_release(instance->module);
    free(instance);
}

const wpy_object_ops wpy_instance_ops = {
    .close = close_instance, .close_pending = instance_close_pending, .free = free_instance};

/* ---- exports: a handle, or NULL: there is no such export ---- */

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
