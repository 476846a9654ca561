/* func.c: the functions of instances, for the interpreter and for Python.
 *
 * Host functions are in callbacks.c.
 */
#include "runtime/func.h"

static void
free_func(wpy_object *object)
{
    free(object);
}

const wpy_object_ops wpy_func_ops = {.free = free_func};

void
wpy_func_init(wpy_func *func, WASMFuncType *type)
{
    func->type = type;
    func->param_cells = type->param_cell_num;
    func->result_cells = type->ret_cell_num;
    func->import_struct.module_name = "host";
    func->import_struct.field_name = "function";
    func->import_struct.func_type = type;
    func->import_struct.func_ptr_linked = func;
    func->import_struct.attachment = func;
    /* both at once mean the direct convention, see cmake/patches/hooks/ */
    func->import_struct.call_conv_raw = func->import_struct.call_conv_wasm_c_api = true;
    func->proxy.is_import_func = true;
    func->proxy.param_count = type->param_count;
    func->proxy.param_cell_num = type->param_cell_num;
    func->proxy.ret_cell_num = type->ret_cell_num;
    func->proxy.param_types = type->types;
    func->proxy.u.func_import = &func->import_struct;
}

static WASMFuncType *
type_of(const WASMModule *module, uint32_t index)
{
    uint32_t imported = module->import_function_count;

    return index < imported ? module->import_functions[index].u.function.func_type
                            : module->functions[index - imported]->func_type;
}

/* Replaces a reactor's `_initialize` for everything but the instance's own code. We run
   `_initialize` when the instance is made, and it must not run twice: wasi-libc's traps, others
   would initialize again what is in use. */
static bool
do_nothing(WASMExecEnv *env, wpy_func *func, const uint32_t *args, uint32_t *results)
{
    (void)env;
    (void)func;
    (void)args;
    (void)results;
    return true;
}

static WASMFuncType no_values;
static wpy_func initialized = {
    .type = &no_values,
    .dispatch = do_nothing,
    .import_struct = {.module_name = "host",
                      .field_name = "_initialize",
                      .func_type = &no_values,
                      .func_ptr_linked = &initialized,
                      .attachment = &initialized,
                      .call_conv_raw = true,
                      .call_conv_wasm_c_api = true}, /* as in wpy_func_init */
    .proxy = {.is_import_func = true, .u.func_import = &initialized.import_struct},
};

static COLD bool
add_piece(wpy_func ***place)
{
    wpy_func **piece = calloc(WPY_PIECE, sizeof *piece);

    if (!piece)
        return false;
    wpy_registry_lock();
    if (*place)
        free(piece); /* another thread has made it meanwhile */
    else
        ATOMIC_STORE_RELEASE(place, piece);
    wpy_registry_unlock();
    return true;
}

/* Adds a new function to the group. Under the registry's lock. */
static void
publish(wpy_instance *instance, wpy_func *func)
{
    wpy_group *group = instance->object.group;
    uint32_t index = func->index;

    ASSERT_HAS_LOCK(WPY_REGISTRY_LOCK);
    if (instance->wamr) /* else the instance is closed, and never runs again */
        func->wamr = (int64_t)index == instance->module->initialize
                         ? &initialized.proxy
                         : &instance->wamr->e->functions[index];
    func->object.group = group;
    func->object.next = group->objects;
    /* the owner of the group's lock walks the list without the registry's lock */
    ATOMIC_STORE_RELEASE(&group->objects, &func->object);
}

/* Puts a function into the instance's list; what is in there then, or NULL: out of memory. */
static wpy_func *
keep_func(wpy_instance *instance, wpy_func *func, uint32_t index)
{
    wpy_func ***place = &instance->funcs[index >> WPY_PIECE_BITS], **piece, *kept;

    if (UNLIKELY(!ATOMIC_LOAD_ACQUIRE(place)) && !add_piece(place))
        return NULL;
    piece = *place;
    wpy_registry_lock();
    if (LIKELY(!(kept = piece[index % WPY_PIECE]))) { /* else another thread has made it */
        if (func->instance == instance)
            publish(instance, func);
        ATOMIC_STORE_RELEASE(&piece[index % WPY_PIECE], func);
        kept = func;
    }
    wpy_registry_unlock();
    return kept;
}

static wpy_func *
new_func(wpy_instance *instance, uint32_t index)
{
    wpy_func *func = calloc(1, sizeof *func);

    if (!func)
        return NULL;
    func->instance = instance;
    func->index = index;
    wpy_func_init(func, type_of(instance->module->wamr, index));
    func->object.ops = &wpy_func_ops;
    return func;
}

/* An imported function is the one that was imported. */
wpy_func *
wpy_func_make(wpy_instance *instance, uint32_t index)
{
    bool is_import = index < instance->module->wamr->import_function_count;
    wpy_func *imported = is_import ? instance->imported[index] : NULL,
             *func = imported ? imported : new_func(instance, index), *kept;

    if (!func)
        return NULL;
    kept = keep_func(instance, func, index);
    if (UNLIKELY(kept != func) && !imported) /* another thread has made it, or out of memory */
        free(func);
    return kept;
}

/* Returns a handle, or NULL: out of memory, or no such function. */
wpy_func *
wpy_instance_func(wpy_instance *instance, uint32_t index)
{
    wpy_func *func = wpy_func_borrow(instance, index);

    if (func)
        wpy_retain(func);
    return func;
}

/* The same as an integer, which cffi converts faster than a pointer; 0: out of memory. */
uintptr_t
wpy_instance_func_address(wpy_instance *instance, uint32_t index)
{
    return (uintptr_t)wpy_instance_func(instance, index);
}

/* Whether the function is sure to end after a few microseconds, apart from the Python functions
   that it calls: these need the GIL anyway, and release it as they like. Functions of other
   instances and of WASI may take any time. */
bool
wpy_func_bounded(wpy_func *func)
{
    const wpy_instance *instance = func->instance;
    const WASMFunction *code;
    uint32_t imported;

    if (!instance)
        return false;
    imported = instance->module->wamr->import_function_count;
    if (func->index < imported)
        return false;
    code = instance->module->wamr->functions[func->index - imported];
    return code->cost <= WPY_BOUNDED && (!code->calls_imports || instance->calls_python_only);
}

/* Whether this build's interpreter has superinstructions and short calls, for tests. */
bool
wpy_has_superinstructions(void)
{
    return WASM_ENABLE_LABELS_AS_VALUES != 0 && WASM_CPU_SUPPORTS_UNALIGNED_ADDR_ACCESS != 0;
}

/* The number of superinstructions in its code (src/native/interp/superinstructions.h), for tests.
 */
uint32_t
wpy_func_superinstructions(wpy_func *func)
{
    const WASMModule *module = func->instance ? func->instance->module->wamr : NULL;

    return module && func->index >= module->import_function_count
               ? module->functions[func->index - module->import_function_count]->pairs
               : 0;
}

/* The id of its instance; 0: a host function. */
uint64_t
wpy_func_instance_id(wpy_func *func)
{
    return func->instance ? func->instance->instance_id : 0;
}

/* Its index in its instance. */
uint32_t
wpy_func_index(wpy_func *func)
{
    return func->index;
}

/* The id of a host function, for Python. */
uint32_t
wpy_func_host_id(wpy_func *func)
{
    return func->index;
}

/* Writes the value types, parameters first, `size` of them at most. Returns how many there are. */
uint32_t
wpy_func_type(wpy_func *func, uint8_t *kinds, uint32_t size, uint32_t *param_count)
{
    uint32_t count = (uint32_t)func->type->param_count + func->type->result_count;

    *param_count = func->type->param_count;
    memcpy(kinds, func->type->types, count < size ? count : size);
    return count;
}
