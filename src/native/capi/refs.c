/* refs.c: references, comparisons, host information, casts, and vectors of types.
 *
 * Most of these functions are declared in wasm_c_api.h and not defined by WAMR. WAMR's casts accept
 * objects of any kind, and its comparisons compare only an index.
 */
#include "capi/internal.h"

/* ---- references ---- */

/* Kinds of wasm_ref_t that WAMR does not have. Their `inst_comm_rt` is the object itself. */
enum { REF_TRAP = 16, REF_INSTANCE };

static wasm_ref_t *
object_ref(wasm_store_t *store, int kind, void *object)
{
    return wasm_ref_new_internal(store, (enum wasm_reference_kind)kind, 0, object);
}

wasm_ref_t *
wasm_trap_as_ref(wasm_trap_t *trap)
{
    wasm_ref_t *ref = trap ? object_ref(trap->store, REF_TRAP, trap) : NULL;

    if (ref)
        wasm_trap_copy(trap);
    return ref;
}

wasm_trap_t *
wasm_ref_as_trap(wasm_ref_t *ref)
{
    return ref && (int)ref->kind == REF_TRAP ? wasm_trap_copy((wasm_trap_t *)ref->inst_comm_rt)
                                             : NULL;
}

const wasm_ref_t *
wasm_trap_as_ref_const(const wasm_trap_t *trap)
{
    return wasm_trap_as_ref((wasm_trap_t *)trap);
}

const wasm_trap_t *
wasm_ref_as_trap_const(const wasm_ref_t *ref)
{
    return wasm_ref_as_trap((wasm_ref_t *)ref);
}

wasm_ref_t *
wasm_instance_as_ref(wasm_instance_t *instance)
{
    return instance ? object_ref(instance->store, REF_INSTANCE, instance) : NULL;
}

wasm_instance_t *
wasm_ref_as_instance(wasm_ref_t *ref)
{
    return ref && (int)ref->kind == REF_INSTANCE ? (wasm_instance_t *)ref->inst_comm_rt : NULL;
}

const wasm_ref_t *
wasm_instance_as_ref_const(const wasm_instance_t *instance)
{
    return wasm_instance_as_ref((wasm_instance_t *)instance);
}

const wasm_instance_t *
wasm_ref_as_instance_const(const wasm_ref_t *ref)
{
    return wasm_ref_as_instance((wasm_ref_t *)ref);
}

wasm_ref_t *
wasm_extern_as_ref(wasm_extern_t *external)
{
    if (!external)
        return NULL;
    switch (external->kind) {
    case WASM_EXTERN_FUNC:
        return wasm_func_as_ref((wasm_func_t *)external);
    case WASM_EXTERN_GLOBAL:
        return wasm_global_as_ref((wasm_global_t *)external);
    case WASM_EXTERN_TABLE:
        return wasm_table_as_ref((wasm_table_t *)external);
    case WASM_EXTERN_MEMORY:
        return wasm_memory_as_ref((wasm_memory_t *)external);
    default:
        return NULL;
    }
}

wasm_extern_t *
wasm_ref_as_extern(wasm_ref_t *ref)
{
    if (!ref)
        return NULL;
    switch (ref->kind) {
    case WASM_REF_func:
        return (wasm_extern_t *)wasm_ref_as_func(ref);
    case WASM_REF_global:
        return (wasm_extern_t *)wasm_ref_as_global(ref);
    case WASM_REF_table:
        return (wasm_extern_t *)wasm_ref_as_table(ref);
    case WASM_REF_memory:
        return (wasm_extern_t *)wasm_ref_as_memory(ref);
    default:
        return NULL;
    }
}

const wasm_ref_t *
wasm_extern_as_ref_const(const wasm_extern_t *external)
{
    return wasm_extern_as_ref((wasm_extern_t *)external);
}

const wasm_extern_t *
wasm_ref_as_extern_const(const wasm_ref_t *ref)
{
    return wasm_ref_as_extern((wasm_ref_t *)ref);
}

wasm_ref_t *
wpy_api_ref_copy(const wasm_ref_t *ref)
{
    wasm_ref_t *copy = wasm_ref_copy(ref);

    if (copy && (int)copy->kind == REF_TRAP)
        wasm_trap_copy((wasm_trap_t *)copy->inst_comm_rt);
    return copy;
}

void
wpy_api_ref_delete(wasm_ref_t *ref)
{
    wasm_trap_t *trap = ref && (int)ref->kind == REF_TRAP ? (wasm_trap_t *)ref->inst_comm_rt : NULL;

    wasm_ref_delete(ref);
    wasm_trap_delete(trap);
}

wasm_foreign_t *
wasm_foreign_copy(const wasm_foreign_t *foreign)
{
    if (foreign)
        ((wasm_foreign_t *)foreign)->ref_cnt++;
    return (wasm_foreign_t *)foreign;
}

/* ---- comparisons ---- */

bool
wpy_api_ref_same(const wasm_ref_t *a, const wasm_ref_t *b)
{
    if (a == b || !a || !b)
        return a == b;
    return a->kind == b->kind && a->store == b->store && a->ref_idx_rt == b->ref_idx_rt &&
           a->inst_comm_rt == b->inst_comm_rt;
}

/* WAMR's function considers all host functions the same. */
bool
wpy_api_func_same(const wasm_func_t *a, const wasm_func_t *b)
{
    if (a == b || !a || !b)
        return a == b;
    if (a->with_env != b->with_env || a->u.cb != b->u.cb)
        return false;
    if (a->with_env)
        return a->u.cb_env.cb == b->u.cb_env.cb && a->u.cb_env.env == b->u.cb_env.env;
    return a->u.cb || (a->inst_comm_rt && a->inst_comm_rt == b->inst_comm_rt &&
                       a->func_idx_rt == b->func_idx_rt);
}

#define SAME(name)                                                                 \
    bool wpy_api_##name##_same(const wasm_##name##_t *a, const wasm_##name##_t *b) \
    {                                                                              \
        if (a == b || !a || !b)                                                    \
            return a == b;                                                         \
        return a->inst_comm_rt && a->inst_comm_rt == b->inst_comm_rt &&            \
               a->name##_idx_rt == b->name##_idx_rt;                               \
    }

SAME(global)
SAME(table)
SAME(memory)

bool
wpy_api_foreign_same(const wasm_foreign_t *a, const wasm_foreign_t *b)
{
    return a == b;
}

bool
wasm_extern_same(const wasm_extern_t *a, const wasm_extern_t *b)
{
    if (a == b || !a || !b)
        return a == b;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case WASM_EXTERN_FUNC:
        return wpy_api_func_same((const wasm_func_t *)a, (const wasm_func_t *)b);
    case WASM_EXTERN_GLOBAL:
        return wpy_api_global_same((const wasm_global_t *)a, (const wasm_global_t *)b);
    case WASM_EXTERN_TABLE:
        return wpy_api_table_same((const wasm_table_t *)a, (const wasm_table_t *)b);
    case WASM_EXTERN_MEMORY:
        return wpy_api_memory_same((const wasm_memory_t *)a, (const wasm_memory_t *)b);
    default:
        return false;
    }
}

bool
wasm_instance_same(const wasm_instance_t *a, const wasm_instance_t *b)
{
    return a == b;
}

/* ---- host information ---- */

#define HOST_INFO(name, target)                                                          \
    void *wasm_##name##_get_host_info(const wasm_##name##_t *object)                     \
    {                                                                                    \
        return object ? (target)->info : NULL;                                           \
    }                                                                                    \
    void wasm_##name##_set_host_info_with_finalizer(wasm_##name##_t *object, void *info, \
                                                    void (*finalizer)(void *))           \
    {                                                                                    \
        if (object) {                                                                    \
            (target)->info = info;                                                       \
            (target)->finalizer = finalizer;                                             \
        }                                                                                \
    }                                                                                    \
    void wasm_##name##_set_host_info(wasm_##name##_t *object, void *info)                \
    {                                                                                    \
        wasm_##name##_set_host_info_with_finalizer(object, info, NULL);                  \
    }

HOST_INFO(trap, (struct wasm_host_info *)&object->host_info)
HOST_INFO(instance, (struct wasm_host_info *)&object->host_info)
/* All four kinds of externs have the member at the same offset. */
HOST_INFO(extern, (struct wasm_host_info *)&((const wasm_func_t *)object)->host_info)

/* ---- casts, which return NULL for an object of another kind ---- */

#define CAST(from, name, kind, expected)                                                     \
    wasm_##name##_t *wpy_api_##from##_as_##name(wasm_##from##_t *object)                     \
    {                                                                                        \
        return object && object->kind == expected ? (wasm_##name##_t *)object : NULL;        \
    }                                                                                        \
    const wasm_##name##_t *wpy_api_##from##_as_##name##_const(const wasm_##from##_t *object) \
    {                                                                                        \
        return object && object->kind == expected ? (const wasm_##name##_t *)object : NULL;  \
    }

CAST(extern, func, kind, WASM_EXTERN_FUNC)
CAST(extern, global, kind, WASM_EXTERN_GLOBAL)
CAST(extern, table, kind, WASM_EXTERN_TABLE)
CAST(extern, memory, kind, WASM_EXTERN_MEMORY)
CAST(externtype, functype, extern_kind, WASM_EXTERN_FUNC)
CAST(externtype, globaltype, extern_kind, WASM_EXTERN_GLOBAL)
CAST(externtype, tabletype, extern_kind, WASM_EXTERN_TABLE)
CAST(externtype, memorytype, extern_kind, WASM_EXTERN_MEMORY)

/* ---- vectors of types ---- */

#define VECTOR(name)                                                                         \
    void wasm_##name##_vec_new(wasm_##name##_vec_t *out, size_t size,                        \
                               wasm_##name##_t *const data[])                                \
    {                                                                                        \
        if (!out)                                                                            \
            return;                                                                          \
        memset(out, 0, sizeof *out);                                                         \
        if (!size || !bh_vector_init((Vector *)out, size, sizeof *data, false))              \
            return;                                                                          \
        if (data) {                                                                          \
            memcpy(out->data, data, size * sizeof *data);                                    \
            out->num_elems = size;                                                           \
        }                                                                                    \
    }                                                                                        \
    void wasm_##name##_vec_new_uninitialized(wasm_##name##_vec_t *out, size_t size)          \
    {                                                                                        \
        wasm_##name##_vec_new(out, size, NULL);                                              \
    }                                                                                        \
    void wasm_##name##_vec_new_empty(wasm_##name##_vec_t *out)                               \
    {                                                                                        \
        wasm_##name##_vec_new(out, 0, NULL);                                                 \
    }                                                                                        \
    void wasm_##name##_vec_delete(wasm_##name##_vec_t *vector)                               \
    {                                                                                        \
        size_t i;                                                                            \
                                                                                             \
        if (!vector)                                                                         \
            return;                                                                          \
        for (i = 0; vector->data && i < vector->num_elems; i++)                              \
            wasm_##name##_delete(vector->data[i]);                                           \
        bh_vector_destroy((Vector *)vector);                                                 \
    }                                                                                        \
    void wasm_##name##_vec_copy(wasm_##name##_vec_t *out, const wasm_##name##_vec_t *source) \
    {                                                                                        \
        size_t i;                                                                            \
                                                                                             \
        if (!out)                                                                            \
            return;                                                                          \
        wasm_##name##_vec_new(out, source ? source->size : 0, NULL);                         \
        for (i = 0; out->data && i < source->num_elems; i++) {                               \
            if (!(out->data[i] = wasm_##name##_copy(source->data[i]))) {                     \
                wasm_##name##_vec_delete(out);                                               \
                return;                                                                      \
            }                                                                                \
            out->num_elems++;                                                                \
        }                                                                                    \
    }

VECTOR(globaltype)
VECTOR(tabletype)
VECTOR(memorytype)
VECTOR(externtype)
