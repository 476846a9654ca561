/* snapshot_refusals.c: which instances can't be copied by a snapshot, or reset.
 *
 * A snapshot copies one instance. It can't copy what the instance shares with other instances or
 * with the host: imported memories, tables and mutable globals, functions of other instances,
 * references to Python objects, open files. Each check below writes to `why` a reason, ": " and a
 * sentence, of which snapshot_taking.py makes the SnapshotError.
 */
#include "runtime/saved_state.h"

#include <stdarg.h>

PRINTF_FORMAT(2, 3)
static bool
refuse(char *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, WPY_REFUSAL, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- suspended calls ---- */

static bool
is_quiet(const wpy_instance *instance, const wpy_execution *execution, char *why)
{
    const wpy_segment *segment;

    if (!instance->wamr ||
        (ATOMIC_LOAD(&instance->attention) & (WPY_ATTN_CLOSED | WPY_ATTN_CLOSE_PENDING)))
        return refuse(why, "closed: the instance is closed");
    if (ATOMIC_LOAD(&instance->depth))
        return refuse(why, "busy: code of the instance runs");
    if (!execution)
        return !instance->suspended ||
               refuse(why, "busy: a call is suspended in the instance; end it before, or give its "
                           "execution to the snapshot");
    if (!(segment = execution->outermost))
        return refuse(why, "closed: the execution has ended");
    if (segment != execution->innermost)
        return refuse(why, "busy: the suspended call goes through several instances");
    if (segment->func->instance != instance)
        return refuse(why, "busy: the execution is of another instance");
    if (instance->suspended != segment || instance->env->wasm_stack.top != segment->top)
        return refuse(why, "busy: another call was suspended later in the instance");
    return !segment->below ||
           refuse(why, "busy: another call is suspended in the instance, below the given one");
}

/* ---- links ---- */

static bool
imports_nothing(const wpy_instance *instance, char *why)
{
    const WASMModule *module = instance->module->wamr;
    uint32_t i;

    if (module->import_memory_count)
        return refuse(why, "linked: the instance imports a memory");
    if (module->import_table_count)
        return refuse(why, "linked: the instance imports a table");
    for (i = 0; i < module->import_global_count; i++)
        if (module->import_globals[i].u.global.type.is_mutable)
            return refuse(why, "linked: the instance imports a mutable global");
    for (i = 0; i < module->import_function_count; i++)
        if (instance->imported[i] && instance->imported[i]->instance)
            return refuse(why, "linked: the instance imports a function of another instance");
    return true;
}

/* What another instance imports of this one; NULL: nothing. */
static const char *
imported_by(const wpy_instance *other, const wpy_instance *instance)
{
    const wpy_module *module = other->module;
    const WASMModule *wamr = module->wamr;
    uint32_t i, j;

    if (wamr->import_memory_count && other->memory && other->memory == instance->memory)
        return "memory";
    for (i = 0; other->imported && i < wamr->import_function_count; i++)
        if (other->imported[i] && other->imported[i]->instance == instance)
            return "function";
    for (i = 0; other->tables && instance->tables && i < wamr->import_table_count; i++)
        for (j = 0; j < instance->module->table_count; j++)
            if (other->tables[i] && other->tables[i] == instance->tables[j])
                return "table";
    for (i = 0; other->globals && instance->globals && i < wamr->import_global_count; i++)
        for (j = 0; j < instance->module->global_count; j++)
            if (other->globals[i] && other->globals[i]->mutable_ &&
                other->globals[i] == instance->globals[j])
                return "global";
    return NULL;
}

static bool
exports_nothing(const wpy_instance *instance, char *why)
{
    const wpy_object *object;
    const char *item;

    for (object = ATOMIC_LOAD_ACQUIRE(&instance->object.group->objects); object;
         object = object->next) {
        const wpy_instance *other = (const wpy_instance *)object;

        if (object->ops != &wpy_instance_ops || other == instance || !other->wamr)
            continue;
        if ((item = imported_by(other, instance)))
            return refuse(why, "linked: another instance imports a %s of the instance", item);
    }
    return true;
}

/* ---- references ---- */

static bool
may_keep(const wpy_instance *instance, uint8_t type, uint32_t ref)
{
    if (ref == WPY_NULL_REF)
        return true;
    return type == VALUE_TYPE_FUNCREF && ref - instance->ref_base < instance->func_count;
}

static const char *
name_of(uint8_t type)
{
    return type == VALUE_TYPE_EXTERNREF ? "an externref"
           : type == VALUE_TYPE_EXNREF  ? "an exnref"
                                        : "a function of the host or of another instance";
}

static bool
tables_are_own(const wpy_instance *instance, char *why)
{
    const WASMModuleInstance *wamr = instance->wamr;
    uint32_t i, j;

    for (i = 0; i < wamr->table_count; i++) {
        const WASMTableInstance *table = wamr->tables[i];

        for (j = 0; j < table->cur_size; j++)
            if (!may_keep(instance, table->elem_type, (uint32_t)table->elems[j]))
                return refuse(why, "references: element %u of table %u is %s", j, i,
                              name_of(table->elem_type));
    }
    return true;
}

static bool
globals_are_own(const wpy_instance *instance, char *why)
{
    const WASMModuleInstance *wamr = instance->wamr;
    uint32_t i, ref;

    for (i = 0; i < wamr->e->global_count; i++) {
        const WASMGlobalInstance *global = &wamr->e->globals[i];

        if (global->type != VALUE_TYPE_EXTERNREF && global->type != VALUE_TYPE_FUNCREF &&
            global->type != VALUE_TYPE_EXNREF)
            continue;
        memcpy(&ref, wamr->global_data + global->data_offset, sizeof ref);
        if (!may_keep(instance, global->type, ref))
            return refuse(why, "references: global %u is %s", i, name_of(global->type));
    }
    return true;
}

/* Cells have no types, so references in frames can't be told from numbers. */
static bool
frames_are_own(const wpy_instance *instance, const wpy_execution *execution, char *why)
{
    const wpy_segment *segment = execution->outermost;
    const WASMModuleInstanceExtra *e = instance->wamr->e;
    const WASMInterpFrame *frame;

    for (frame = segment->at; frame != segment->entry; frame = frame->prev_frame) {
        const WASMFunctionInstance *function = frame->function;
        uint32_t index;

        if (!function || function < e->functions || function >= e->functions + e->function_count)
            return refuse(why, "references: the call is suspended in a function that is called "
                               "through a table of another instance");
        index = (uint32_t)(function - e->functions);
        if (function->is_import_func
                ? wpy_type_has_references(function->u.func_import->func_type)
                : wpy_type_has_references(function->u.func->func_type) ||
                      function->u.func->has_ref_locals || function->u.func->has_ref_operands)
            return refuse(why, "references: function %u, which is suspended, has references",
                          index);
    }
    return !wpy_type_has_references(segment->func->type) ||
           refuse(why, "references: the suspended function's type has references");
}

bool
wpy_can_reset(wpy_instance *instance, char *why)
{
    if (instance->wamr && !ATOMIC_LOAD(&instance->depth))
        wpy_drop_abandoned(instance);
    return is_quiet(instance, NULL, why) && exports_nothing(instance, why) &&
           (!instance->wasi ||
            wpy_wasi_ops_of(instance->wasi)->reset(instance->wasi, instance, why, WPY_REFUSAL));
}

bool
wpy_can_snapshot(wpy_instance *instance, const wpy_execution *execution, char *why)
{
    if (instance->wamr && !ATOMIC_LOAD(&instance->depth))
        wpy_drop_abandoned(instance);
    return is_quiet(instance, execution, why) && imports_nothing(instance, why) &&
           exports_nothing(instance, why) && tables_are_own(instance, why) &&
           globals_are_own(instance, why) &&
           (!execution || frames_are_own(instance, execution, why)) &&
           (!instance->wasi ||
            wpy_wasi_ops_of(instance->wasi)->at_rest(instance->wasi, instance, why, WPY_REFUSAL));
}
