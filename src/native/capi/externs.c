/* externs.c: memories, tables and globals that the host makes.
 *
 * WAMR's constructors make objects without data. Here each object is the export of a small module,
 * which is written and instantiated in the store. So the runtime implements the object, and frees
 * it with the store. This file also grows memories and tables, which WAMR leaves to wasm
 * instructions.
 */
#include "capi/internal.h"

typedef struct {
    uint8 bytes[64];
    uint32 size;
} small_module;

static void
put(small_module *module, const void *bytes, uint32 size)
{
    memcpy(module->bytes + module->size, bytes, size);
    module->size += size;
}

static void
put_leb(small_module *module, uint32 value)
{
    do {
        uint8 byte = value & 0x7f;

        value >>= 7;
        byte |= value ? 0x80 : 0;
        put(module, &byte, 1);
    } while (value);
}

static void
put_limits(small_module *module, const wasm_limits_t *limits)
{
    uint8 has_max = limits->max != wasm_limits_max_default;

    put(module, &has_max, 1);
    put_leb(module, limits->min);
    if (has_max)
        put_leb(module, limits->max);
}

/* Makes a module whose section `id` has the one item `section`, exported as "x". Returns its
 * instance, which the store owns; NULL where that fails. */
static WASMModuleInstanceCommon *
instance_with(wasm_store_t *store, uint8 id, const small_module *section, uint8 export_kind)
{
    static const char header[8] = "\0asm\1\0\0";
    const uint8 start[] = {id, (uint8)(section->size + 1), 1},
                exports[] = {7, 5, 1, 1, 'x', export_kind, 0};
    small_module module = {{0}, 0};
    wasm_byte_vec_t binary = {0};
    wasm_module_t *loaded;
    wasm_instance_t *instance = NULL;

    put(&module, header, sizeof header);
    put(&module, start, sizeof start);
    put(&module, section->bytes, section->size);
    put(&module, exports, sizeof exports);
    binary.size = binary.num_elems = module.size;
    binary.size_of_elem = 1;
    binary.data = (char *)module.bytes;
    if ((loaded = wasm_module_new(store, &binary))) {
        wpy_api_tables_grow((WASMModule *)*loaded);
        instance = wasm_instance_new_with_args(store, loaded, NULL, NULL, 1024, 0);
    }
    return instance ? instance->inst_comm_rt : NULL;
}

wasm_memory_t *
wpy_api_memory_new(wasm_store_t *store, const wasm_memorytype_t *type)
{
    small_module section = {{0}, 0};
    WASMModuleInstanceCommon *instance;
    wasm_memory_t *memory;
    wasm_memorytype_t *copy;

    if (!store || !type)
        return NULL;
    put_limits(&section, &type->limits);
    if (!(instance = instance_with(store, 5, &section, 2)) || !(copy = wasm_memorytype_copy(type)))
        return NULL;
    if (!(memory = wasm_memory_new_internal(store, 0, instance))) {
        wasm_memorytype_delete(copy);
        return NULL;
    }
    wasm_memorytype_delete(memory->type);
    memory->type = copy;
    return memory;
}

bool
wpy_api_memory_grow(wasm_memory_t *memory, wasm_memory_pages_t delta)
{
    return memory && memory->inst_comm_rt &&
           wasm_runtime_enlarge_memory(memory->inst_comm_rt, delta);
}

static bool
interpreted_table(const wasm_table_t *table)
{
    return table && table->inst_comm_rt && table->inst_comm_rt->module_type == Wasm_Module_Bytecode;
}

/* The table element for a reference. False where the reference isn't of the table's type. */
static bool
table_element(const wasm_table_t *table, wasm_ref_t *ref, uint32 *out)
{
    if (table->type->val_type->kind == WASM_FUNCREF)
        return wpy_api_func_index(ref, table->inst_comm_rt, out);
    if (ref && ref->kind != WASM_REF_foreign)
        return false;
    return wasm_externref_obj2ref(table->inst_comm_rt, ref, out);
}

wasm_table_t *
wpy_api_table_new(wasm_store_t *store, const wasm_tabletype_t *type, wasm_ref_t *init)
{
    small_module section = {{0}, 0};
    WASMModuleInstanceCommon *instance;
    wasm_table_t *table;
    WASMTableInstance *runtime;
    wasm_tabletype_t *copy;
    uint32 element, i;
    uint8 kind;

    if (!store || !type)
        return NULL;
    kind = wpy_api_value_type(type->val_type->kind);
    put(&section, &kind, 1);
    put_limits(&section, &type->limits);
    if (!(instance = instance_with(store, 4, &section, 1)))
        return NULL;
    if (!(table = wasm_table_new_internal(store, 0, instance)))
        return NULL;
    if (!table_element(table, init, &element) || !(copy = wasm_tabletype_copy(type))) {
        wasm_table_delete(table);
        return NULL;
    }
    runtime = ((WASMModuleInstance *)instance)->tables[0];
    for (i = 0; i < runtime->cur_size; i++)
        runtime->elems[i] = element;
    wasm_tabletype_delete(table->type);
    table->type = copy;
    return table;
}

wasm_table_t *
wpy_api_table_copy(const wasm_table_t *table)
{
    return table ? wasm_table_copy(table) : NULL;
}

bool
wpy_api_table_set(wasm_table_t *table, wasm_table_size_t index, wasm_ref_t *ref)
{
    uint32 ignored;

    if (!table || !table->inst_comm_rt)
        return false;
    if (table->type->val_type->kind == WASM_FUNCREF &&
        !wpy_api_func_index(ref, table->inst_comm_rt, &ignored))
        return false;
    return wasm_table_set(table, index, ref);
}

bool
wpy_api_table_grow(wasm_table_t *table, wasm_table_size_t delta, wasm_ref_t *init)
{
    uint32 element;

    return interpreted_table(table) && table_element(table, init, &element) &&
           wasm_enlarge_table((WASMModuleInstance *)table->inst_comm_rt, table->table_idx_rt, delta,
                              element);
}

void
wpy_api_global_set(wasm_global_t *global, const wasm_val_t *value)
{
    uint32 index;

    if (!global || !value || !global->type || global->type->mutability != WASM_VAR ||
        global->type->val_type->kind != value->kind)
        return;
    *global->init = *value; /* an import of the global begins with this value */
    if (value->kind != WASM_FUNCREF)
        wasm_global_set(global, value);
    else if (wpy_api_func_index(value->of.ref, global->inst_comm_rt, &index)) {
        WASMModuleInstance *instance = (WASMModuleInstance *)global->inst_comm_rt;

        memcpy(instance->global_data + instance->e->globals[global->global_idx_rt].data_offset,
               &index, sizeof index);
    }
}

/* WAMR's function reads a reference to a function as an i32. */
void
wpy_api_global_get(const wasm_global_t *global, wasm_val_t *out)
{
    WASMModuleInstance *instance;
    uint32 index;

    if (!global || !out)
        return;
    memset(out, 0, sizeof *out);
    if (!global->type || !global->inst_comm_rt)
        return;
    if (global->type->val_type->kind != WASM_FUNCREF) {
        wasm_global_get(global, out);
        out->kind = global->type->val_type->kind;
        return;
    }
    out->kind = WASM_FUNCREF;
    instance = (WASMModuleInstance *)global->inst_comm_rt;
    if (global->inst_comm_rt->module_type != Wasm_Module_Bytecode)
        return;
    memcpy(&index, instance->global_data + instance->e->globals[global->global_idx_rt].data_offset,
           sizeof index);
    if (index != NULL_REF)
        out->of.ref =
            wasm_ref_new_internal(global->store, WASM_REF_func, index, global->inst_comm_rt);
}

wasm_global_t *
wpy_api_global_new(wasm_store_t *store, const wasm_globaltype_t *type, const wasm_val_t *value)
{
    static const uint8 zeros[][10] = {{0x41, 0, 0x0b},
                                      {0x42, 0, 0x0b},
                                      {0x43, 0, 0, 0, 0, 0x0b},
                                      {0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b}};
    static const uint32 sizes[] = {3, 3, 6, 10};
    small_module section = {{0}, 0};
    WASMModuleInstanceCommon *instance;
    wasm_global_t *global;
    wasm_globaltype_t *copy;
    wasm_valkind_t kind;

    if (!store || !type || !value || (kind = type->val_type->kind) != value->kind ||
        kind == WASM_V128)
        return NULL;
    if (kind == WASM_FUNCREF && value->of.ref)
        return NULL; /* a function of another instance than the global's */
    if (kind < WASM_V128) {
        const uint8 head[] = {wpy_api_value_type(kind), 1};

        put(&section, head, 2);
        put(&section, zeros[kind], sizes[kind]);
    } else {
        const uint8 reference = wpy_api_value_type(kind);
        const uint8 text[] = {reference, 1, 0xd0, reference, 0x0b};

        put(&section, text, sizeof text);
    }
    if (!(instance = instance_with(store, 6, &section, 3)) || !(copy = wasm_globaltype_copy(type)))
        return NULL;
    if (!(global = wasm_global_new_internal(store, 0, instance))) {
        wasm_globaltype_delete(copy);
        return NULL;
    }
    wpy_api_global_set(global, value);
    wasm_globaltype_delete(global->type);
    global->type = copy;
    return global;
}
