"""What wasm-c-api needs to be the API that its header describes (``src/wamr/ffi.py``).

Ownership that its header promises and its code does not keep: traps, foreigns and instances
count their handles and run finalizers once. Indices that are cut to 16 bits. The rest of what
the layer adds is in ``src/wamr/_native/procedural.c``; here is only what can't be done from
outside.
"""

from __future__ import annotations

from . import Cure

_API = "core/iwasm/common/wasm_c_api.c"
_INTERNAL = "core/iwasm/common/wasm_c_api_internal.h"
_COMMON = "core/iwasm/common/wasm_runtime_common.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_TESTS = "tests/regressions/test_procedural_cures.py::"

CURES: tuple[Cure, ...] = (
    Cure(
        name="c-api-trap",
        file=_INTERNAL,
        expect="""\
struct wasm_trap_t {
    wasm_byte_vec_t *message;
    Vector *frames;
};
""",
        replace="""\
struct wasm_trap_t {
    wasm_byte_vec_t *message;
    Vector *frames;
    wasm_store_t *store;
    struct wasm_host_info host_info;
    uint32 more_handles;
};

wasm_trap_t *
wasm_trap_new_internal(wasm_store_t *store,
                       WASMModuleInstanceCommon *inst_comm_rt,
                       const char *error_info, Vector *cluster_frames);
""",
        why="A trap has host information, copies and a store (for wasm_trap_as_ref).",
        test=_TESTS + "test_trap_has_host_info_and_copies",
    ),
    Cure(
        name="c-api-trap",
        file=_API,
        expect="""\
static wasm_trap_t *
wasm_trap_new_internal(wasm_store_t *store,""",
        replace="""\
wasm_trap_t *
wasm_trap_new_internal(wasm_store_t *store,""",
        why="Our wasm_func_call makes its traps with it.",
        test=_TESTS + "test_trap_has_host_info_and_copies",
    ),
    Cure(
        name="c-api-trap",
        file=_API,
        expect="""\
    /* fill in message */
    if (error_info && strlen(error_info) > 0) {""",
        replace="""\
    trap->store = store;

    /* fill in message */
    if (error_info && strlen(error_info) > 0) {""",
        why="See the struct.",
        test=_TESTS + "test_trap_has_host_info_and_copies",
    ),
    Cure(
        name="c-api-trap",
        file=_API,
        expect="""\
    trap->frames = cluster_frames
                       ? cluster_frames
                       : ((WASMModuleInstance *)inst_comm_rt)->frames;

    if (trap->frames) {""",
        replace="""\
    if (!cluster_frames && inst_comm_rt)
        cluster_frames = ((WASMModuleInstance *)inst_comm_rt)->frames;
    if (cluster_frames && cluster_frames->num_elems
        && (trap->frames = malloc_internal(sizeof(Vector))))
        wasm_frame_vec_clone_internal(cluster_frames, trap->frames);

    if (trap->frames) {""",
        why="The frames were the instance's, which the next trap overwrites.",
        test=_TESTS + "test_frames_of_a_trap_survive_the_next_trap",
    ),
    Cure(
        name="c-api-trap",
        file=_API,
        expect="""\
    if (message) {
        INIT_VEC(trap->message, wasm_byte_vec_new, message->size,
                 message->data);
    }

    return trap;""",
        replace="""\
    trap->store = store;

    if (message) {
        INIT_VEC(trap->message, wasm_byte_vec_new, message->size,
                 message->data);
    }

    return trap;""",
        why="See the struct.",
        test=_TESTS + "test_trap_has_host_info_and_copies",
    ),
    Cure(
        name="c-api-trap",
        file=_API,
        expect="""\
    DEINIT_VEC(trap->message, wasm_byte_vec_delete);
    /* reuse frames of WASMModuleInstance, do not free it here */

    wasm_runtime_free(trap);""",
        replace="""\
    if (trap->more_handles) {
        trap->more_handles--;
        return;
    }

    DELETE_HOST_INFO(trap)

    DEINIT_VEC(trap->message, wasm_byte_vec_delete);
    if (trap->frames) {
        bh_vector_destroy(trap->frames);
        wasm_runtime_free(trap->frames);
    }

    wasm_runtime_free(trap);""",
        why="See the struct; the frames are the trap's own now.",
        test=_TESTS + "test_trap_has_host_info_and_copies",
    ),
    Cure(
        name="c-api-trap-message",
        file=_COMMON,
        expect="""\
    else {
        wasm_func_callback_with_env_t callback =
            (wasm_func_callback_with_env_t)func_ptr;
        trap = callback(wasm_c_api_env, &params_vec, &results_vec);
    }

    if (trap) {
        if (trap->message->data) {""",
        replace="""\
    else {
        wasm_func_callback_with_env_t callback =
            (wasm_func_callback_with_env_t)func_ptr;
        trap = callback(wasm_c_api_env, &params_vec, &results_vec);
    }

    if (trap) {
        if (trap->message && trap->message->data) {""",
        why="A callback may return a trap without a message; NULL was dereferenced.",
        test=_TESTS + "test_callback_returns_a_trap_without_message",
    ),
    Cure(
        name="c-api-trap-message",
        file=_COMMON,
        expect="""\
        void *wasm_c_api_env = c_api_import->env_arg;
        wasm_func_callback_with_env_t callback =
            (wasm_func_callback_with_env_t)func_ptr;
        trap = callback(wasm_c_api_env, &params_vec, &results_vec);
    }

    if (trap) {
        if (trap->message->data) {""",
        replace="""\
        void *wasm_c_api_env = c_api_import->env_arg;
        wasm_func_callback_with_env_t callback =
            (wasm_func_callback_with_env_t)func_ptr;
        trap = callback(wasm_c_api_env, &params_vec, &results_vec);
    }

    if (trap) {
        if (trap->message && trap->message->data) {""",
        why="The same for AOT code.",
        test=_TESTS + "test_callback_returns_a_trap_without_message",
    ),
    Cure(
        name="c-api-many-results",
        file=_INTERPRETER,
        expect="""\
        cur_func->param_cell_num > 2 ? cur_func->param_cell_num : 2;
    unsigned all_cell_num;
    WASMInterpFrame *frame;
    uint32 argv_ret[2], cur_func_index;""",
        replace="""\
        cur_func->param_cell_num > 2 ? cur_func->param_cell_num : 2;
    unsigned all_cell_num;
    WASMInterpFrame *frame;
    uint32 argv_ret[2], cur_func_index;

    if (local_cell_num < cur_func->ret_cell_num)
        local_cell_num = cur_func->ret_cell_num;
""",
        why="A callback's results are written where its parameters were: they need as much room.",
        test=_TESTS + "test_callback_with_many_results",
    ),
    Cure(
        name="c-api-many-results",
        file=_INTERPRETER,
        expect="""\
        if (ret) {
            argv_ret[0] = frame->lp[0];
            argv_ret[1] = frame->lp[1];
        }""",
        replace="""\
        if (ret) {
            memcpy(prev_frame->lp + prev_frame->ret_offset, frame->lp,
                   sizeof(uint32) * cur_func->ret_cell_num);
            FREE_FRAME(exec_env, frame);
            wasm_exec_env_set_cur_frame(exec_env, prev_frame);
            return;
        }""",
        why="Results of more than two cells were dropped.",
        test=_TESTS + "test_callback_with_many_results",
    ),
    Cure(
        name="c-api-null-externref",
        file=_COMMON,
        expect="""\
    if ((uint64)-1LL == (uintptr_t)extern_obj) {
#endif
        *p_externref_idx = NULL_REF;""",
        replace="""\
    if ((uint64)-1LL == (uintptr_t)extern_obj || !extern_obj) {
#endif
        *p_externref_idx = NULL_REF;""",
        why="A NULL pointer in a wasm_val_t is the null reference; it became an object.",
        test=_TESTS + "test_null_externref_is_null",
    ),
    Cure(
        name="c-api-null-externref",
        file=_COMMON,
        expect="""\
    if ((uint32)-1 == (uintptr_t)extern_obj) {
#else""",
        replace="""\
    if ((uint32)-1 == (uintptr_t)extern_obj || !extern_obj) {
#else""",
        why="The same where pointers have 32 bits.",
        test=_TESTS + "test_null_externref_is_null",
    ),
    Cure(
        name="c-api-func-index",
        file=_INTERNAL,
        expect="    uint16 func_idx_rt;\n",
        replace="    uint32 func_idx_rt;\n",
        why="Function 65541 was called as function 5.",
        test=_TESTS + "test_function_beyond_65535",
    ),
    Cure(
        name="c-api-func-index",
        file=_INTERNAL,
        expect="wasm_func_new_internal(wasm_store_t *store, uint16 func_idx_rt,",
        replace="wasm_func_new_internal(wasm_store_t *store, uint32 func_idx_rt,",
        why="See the struct.",
        test=_TESTS + "test_function_beyond_65535",
    ),
    Cure(
        name="c-api-func-index",
        file=_API,
        expect="wasm_func_new_internal(wasm_store_t *store, uint16 func_idx_rt,",
        replace="wasm_func_new_internal(wasm_store_t *store, uint32 func_idx_rt,",
        why="See the struct.",
        test=_TESTS + "test_function_beyond_65535",
    ),
    Cure(
        name="c-api-vector-lock",
        file=_API,
        expect="""\
        if (!bh_vector_init((Vector *)out, size, sizeof(wasm_##name##_t), \\
                            true)) {                                      \\""",
        replace="""\
        if (!bh_vector_init((Vector *)out, size, sizeof(wasm_##name##_t), \\
                            false)) {                                     \\""",
        why="Structs are copied, and the lock that all copies lead to was freed with each.",
        test=_TESTS + "test_vectors_of_values_have_no_lock",
    ),
    Cure(
        name="c-api-global-store",
        file=_API,
        expect="""\
    global->kind = WASM_EXTERN_GLOBAL;
    global->type = wasm_globaltype_copy(src->type);""",
        replace="""\
    global->store = src->store;
    global->kind = WASM_EXTERN_GLOBAL;
    global->type = wasm_globaltype_copy(src->type);""",
        why="A copy of a global (every exported one is a copy) had no store, so no reference.",
        test=_TESTS + "test_exported_global_as_ref",
    ),
    Cure(
        name="c-api-foreign-count",
        file=_API,
        expect="""\
    foreign->kind = WASM_REF_foreign;
    foreign->foreign_idx_rt""",
        replace="""\
    foreign->kind = WASM_REF_foreign;
    foreign->ref_cnt = 1;
    foreign->foreign_idx_rt""",
        why="The count began at 0, so the first reference that went took the object along.",
        test=_TESTS + "test_foreign_outlives_its_reference",
    ),
    Cure(
        name="c-api-foreign-count",
        file=_API,
        expect="""\
    if (!foreign->ref_cnt) {
        wasm_runtime_free(foreign);
    }""",
        replace="""\
    if (!foreign->ref_cnt) {
        wasm_foreign_t *none = NULL;

        DELETE_HOST_INFO(foreign)
        bh_vector_set(foreign->store->foreigns, foreign->foreign_idx_rt, &none);
        wasm_runtime_free(foreign);
    }""",
        why="The store's list kept a dangling pointer, and the finalizer never ran.",
        test=_TESTS + "test_foreign_runs_its_finalizer_once",
    ),
    Cure(
        name="c-api-foreign-count",
        file=_API,
        expect="""\
    if (store->foreigns) {
        bh_vector_destroy(store->foreigns);""",
        replace="""\
    if (store->foreigns) {
        uint32 i;

        for (i = 0; i < bh_vector_size(store->foreigns); i++) {
            wasm_foreign_t *foreign = NULL;

            if (bh_vector_get(store->foreigns, i, &foreign) && foreign) {
                foreign->ref_cnt = 1;
                wasm_foreign_delete(foreign);
            }
        }
        bh_vector_destroy(store->foreigns);""",
        why="Foreigns that were left leaked.",
        test=_TESTS + "test_foreign_runs_its_finalizer_once",
    ),
    Cure(
        name="c-api-instance-finalizer",
        file=_API,
        expect="""\
    DELETE_HOST_INFO(inst)
    /* will release instance when releasing the store */""",
        replace="""\
    if (!inst)
        return;
    DELETE_HOST_INFO(inst)
    inst->host_info.info = NULL;
    /* will release instance when releasing the store */""",
        why="NULL crashed, and a second delete ran the finalizer again.",
        test=_TESTS + "test_instance_finalizer_runs_once",
    ),
    Cure(
        name="c-api-instance-finalizer",
        file=_API,
        expect="""\
    if (!instance) {
        return;
    }

    DEINIT_VEC(instance->exports, wasm_extern_vec_delete);""",
        replace="""\
    if (!instance) {
        return;
    }

    DELETE_HOST_INFO(instance)

    DEINIT_VEC(instance->exports, wasm_extern_vec_delete);""",
        why="A store that goes with its instances never ran their finalizers.",
        test=_TESTS + "test_instance_finalizer_runs_once",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
    wasm_byte_vec_t *binary;
    /* If true, binary in wasm_module_ex_t contains a copy of the WASM binary */""",
        replace="""\
    wasm_byte_vec_t *binary;
    /* As given: the loader edits `binary` */
    wasm_byte_vec_t original;
    /* If true, binary in wasm_module_ex_t contains a copy of the WASM binary */""",
        why="What wasm_module_serialize gives back.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
    module_ex->is_binary_cloned = args->clone_wasm_binary;
""",
        replace="""\
    wasm_byte_vec_copy(&module_ex->original, binary);
    if (!module_ex->original.data)
        goto free_module;

    module_ex->is_binary_cloned = args->clone_wasm_binary;
""",
        why="See the struct.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
free_module:
    wasm_runtime_free(module_ex);""",
        replace="""\
free_module:
    wasm_byte_vec_delete(&module_ex->original);
    wasm_runtime_free(module_ex);""",
        why="See the struct.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
    if (module_ex->is_binary_cloned)
        DEINIT_VEC(module_ex->binary, wasm_byte_vec_delete);
""",
        replace="""\
    wasm_byte_vec_delete(&module_ex->original);
    if (module_ex->is_binary_cloned)
        DEINIT_VEC(module_ex->binary, wasm_byte_vec_delete);
""",
        why="See the struct.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
    (void)module;
    (void)out;
    LOG_ERROR("only supported serialization in JIT with eager compilation");""",
        replace="""\
    wasm_module_ex_t *module_ex = (wasm_module_ex_t *)module;

    if (!module || !out)
        return;
    os_mutex_lock(&module_ex->lock);
    if (module_ex->ref_count > 0)
        wasm_byte_vec_copy(out, &module_ex->original);
    os_mutex_unlock(&module_ex->lock);""",
        why="An interpreter's compiled form is the module itself.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
    Cure(
        name="c-api-serialize",
        file=_API,
        expect="""\
    (void)module;
    (void)binary;
    LOG_ERROR("only supported deserialization in JIT with eager compilation");
    return NULL;""",
        replace="""\
    return wasm_module_new(module, binary);""",
        why="The way back; the parameter called module is the store.",
        test=_TESTS + "test_serialized_module_is_the_original",
    ),
)
