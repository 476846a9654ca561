"""Cures of what keeps WAMR from doing as the specification says; most show in tests/spec.

None of them is needed for safety. Each makes valid modules load, invalid ones fail, or running code
do what the specification says. They are independent of one another and of our hooks.
"""

from __future__ import annotations

from . import Cure

_LOADER = "core/iwasm/interpreter/wasm_loader.c"
_RUNTIME = "core/iwasm/interpreter/wasm_runtime.c"
_INTERPRETER = "core/iwasm/interpreter/wasm_interp_fast.c"
_CAPI = "core/iwasm/common/wasm_c_api.c"
_TESTS = "tests/regressions/test_spec_cures.py::"


def _quiet(operator: str, real: str, kind: str) -> Cure:
    return Cure(
        name="quiet-nan",
        file=_INTERPRETER,
        expect=f"                DEF_OP_MATH({real}, {kind}, {operator});\n",
        replace=f"                DEF_OP_MATH_QUIET({real}, {kind}, {operator});\n",
        why="One of the operators that this is about.",
        test=_TESTS + "test_rounding_quiets_a_nan",
    )


CURES: tuple[Cure, ...] = (
    Cure(
        name="names-with-nul",
        file=_RUNTIME,
        expect="""\
        if (chr == 0) {
            LOG_WARNING(
                "LIMITATION: a string which contains '\\\\00' is unsupported");
            return false;
        }
        else if (chr < 0x80) {
""",
        replace="""\
        if (chr < 0x80) {
""",
        why="A name may hold any character, U+0000 too; WAMR refused the module.",
        test=_TESTS + "test_names_may_hold_nul",
    ),
    Cure(
        name="names-with-nul",
        file=_RUNTIME,
        expect="""\
    if (len == 0) {
        return "";
    }
    else if (is_load_from_file_buf) {
""",
        replace="""\
    if (len == 0) {
        return "";
    }
    else if (memchr(str, 0, len)) {
        /* A C string can't hold it: each NUL becomes C0 80, which UTF-8 does
           not use. So two names are equal if their strings are. */
        uint64 room = sizeof(StringNode) + (uint64)len * 2 + 1;
        uint32 i;
        char *c_str;

        if (room > UINT32_MAX
            || !(node = runtime_malloc(room, error_buf, error_buf_size)))
            return NULL;
        node->str = c_str = (char *)node + sizeof(StringNode);
        for (i = 0; i < len; i++) {
            if (!str[i])
                *c_str++ = (char)0xC0;
            *c_str++ = str[i] ? (char)str[i] : (char)0x80;
        }
        *c_str = '\\0';
        node->next = module->const_str_list;
        module->const_str_list = node;
        return node->str;
    }
    else if (is_load_from_file_buf) {
""",
        why="Cut at the NUL, two exports would be one, and an import could pass for WASI's.",
        test=_TESTS + "test_names_that_differ_after_nul",
    ),
    Cure(
        name="names-with-nul",
        file=_CAPI,
        expect="""\
void
wasm_module_imports(const wasm_module_t *module, own wasm_importtype_vec_t *out)
{
""",
        replace="""\
/* The loader has written NUL in a name as C0 80. */
static void
wamrpy_plain_name(wasm_name_t *name)
{
    size_t from, to = 0;

    for (from = 0; from < name->size; from++, to++) {
        name->data[to] = name->data[from];
        if ((uint8)name->data[from] == 0xC0) {
            name->data[to] = 0;
            from++;
        }
    }
    name->num_elems = name->size = to;
}

void
wasm_module_imports(const wasm_module_t *module, own wasm_importtype_vec_t *out)
{
""",
        why="wasm-c-api's names have a length.",
        test=_TESTS + "test_names_with_nul_through_wasm_c_api",
    ),
    Cure(
        name="names-with-nul",
        file=_CAPI,
        expect="""\
        wasm_name_new_from_string_nt(&module_name, module_name_rt);
""",
        replace="""\
        wasm_name_new_from_string_nt(&module_name, module_name_rt);
        wamrpy_plain_name(&module_name);
""",
        why="The module's name of an import.",
        test=_TESTS + "test_names_with_nul_through_wasm_c_api",
    ),
    Cure(
        name="names-with-nul",
        file=_CAPI,
        expect="""\
        wasm_name_new_from_string_nt(&name, field_name_rt);
""",
        replace="""\
        wasm_name_new_from_string_nt(&name, field_name_rt);
        wamrpy_plain_name(&name);
""",
        why="An import's own name.",
        test=_TESTS + "test_names_with_nul_through_wasm_c_api",
    ),
    Cure(
        name="names-with-nul",
        file=_CAPI,
        expect="""\
        wasm_name_new_from_string_nt(&name, export->name);
""",
        replace="""\
        wasm_name_new_from_string_nt(&name, export->name);
        wamrpy_plain_name(&name);
""",
        why="An export's name.",
        test=_TESTS + "test_names_with_nul_through_wasm_c_api",
    ),
    Cure(
        name="quiet-nan",
        file=_INTERPRETER,
        expect="#define TRUNC_FUNCTION(func_name, src_type, dst_type, signed_type)  \\\n",
        replace="""\
/* C libraries and compilers differ in what they do with a signalling NaN. */
#define DEF_OP_MATH_QUIET(src_type, src_op_type, method)              \\
    do {                                                              \\
        src_type value_ = GET_OPERAND(src_type, src_op_type, 0);      \\
        SET_OPERAND(src_op_type, 2,                                   \\
                    isnan(value_) ? value_ + value_                   \\
                                  : (src_type)method(value_));        \\
        frame_ip += 4;                                                \\
    } while (0)

#define TRUNC_FUNCTION(func_name, src_type, dst_type, signed_type)  \\
""",
        why="The result of every operator but abs, neg and copysign is a quiet NaN. What gcc puts "
        "in place of floor and its like without SSE 4.1 hands a signalling one on.",
        test=_TESTS + "test_rounding_quiets_a_nan",
    ),
    *(
        _quiet(operator + suffix, real, kind)
        for operator in ("ceil", "floor", "trunc", "rint", "sqrt")
        for suffix, real, kind in (("f", "float32", "F32"), ("", "float64", "F64"))
    ),
    Cure(
        name="zero-byte",
        file=_LOADER,
        expect="""\
        (void)module;                                                       \\
        if (memidx != 0) {                                                  \\
            set_error_buf(error_buf, error_buf_size, "zero byte expected"); \\
""",
        replace="""\
        (void)module;                                                       \\
        /* the byte before is an opcode or ends a number: no bit 7 */       \\
        if (memidx != 0 || (p[-2] & 0x80)) {                                \\
            set_error_buf(error_buf, error_buf_size, "zero byte expected"); \\
""",
        why="With one memory, the place of its index is a byte 0, not a number that may be longer.",
        test=_TESTS + "test_reserved_byte_is_one_byte",
    ),
    Cure(
        name="v128-const",
        file=_LOADER,
        expect="""\
                CHECK_BUF(p, p_end, 1);
                (void)read_uint8(p);

                CHECK_BUF(p, p_end, 16);
""",
        replace="""\
                read_leb_uint32(p, p_end, i);
                if (i != SIMD_v128_const) {
                    set_error_buf(error_buf, error_buf_size,
                                  "constant expression required");
                    goto fail;
                }

                CHECK_BUF(p, p_end, 16);
""",
        why="In a constant expression any vector operator passed for v128.const.",
        test=_TESTS + "test_constant_vector_is_v128_const",
    ),
    Cure(
        name="elem-flags",
        file=_LOADER,
        expect="""\
            /* last three bits */
            table_segment->mode = table_segment->mode & 0x07;
""",
        replace="",
        why="Only 0 to 7 are kinds of element segments; of others the last three bits counted.",
        test=_TESTS + "test_kinds_of_element_segments",
    ),
    Cure(
        name="data-flags",
        file=_LOADER,
        expect="            mem_flag = mem_index & 0x03;\n",
        replace="            mem_flag = mem_index < 3 ? mem_index : 3;\n",
        why="The same for data segments, of which there are three kinds.",
        test=_TESTS + "test_kinds_of_data_segments",
    ),
    Cure(
        name="shared-table",
        file="core/iwasm/common/wasm_loader_common.c",
        expect="""\
                                      "tables cannot be shared", is_aot);
        }
""",
        replace="""\
                                      "tables cannot be shared", is_aot);
            return false;
        }
""",
        why="WAMR said so, and loaded the module.",
        test=_TESTS + "test_no_table_is_shared",
    ),
    Cure(
        name="name-section",
        file=_LOADER,
        expect="""\
        p += name_len;
        if (!handle_name_section(p, p_end, module, is_load_from_file_buf,
                                 error_buf, error_buf_size)) {
            return false;
        }
        LOG_VERBOSE("Load custom name section success.");
""",
        replace="""\
        if (handle_name_section(p + name_len, p_end, module,
                                is_load_from_file_buf, error_buf,
                                error_buf_size)) {
            LOG_VERBOSE("Load custom name section success.");
        }
        else if (error_buf_size)
            error_buf[0] = '\\0';
""",
        why="Custom sections have no part in validity: a module with broken names is valid. And in "
        "WAMR's list this section began after its name, with a length below 0 if it was short.",
        test=_TESTS + "test_broken_name_section",
    ),
    Cure(
        name="segment-order",
        file=_RUNTIME,
        expect="""\
    /* Initialize the memory data with data segment section */
    for (i = 0; i < module->data_seg_count; i++) {
""",
        replace="""\
    goto wamrpy_elements;
wamrpy_data:
    /* Initialize the memory data with data segment section */
    for (i = 0; i < module->data_seg_count; i++) {
""",
        why="Element segments come before data segments; it shows in a shared table or memory when "
        "one of them does not fit.",
        test=_TESTS + "test_elements_come_before_data",
    ),
    Cure(
        name="segment-order",
        file=_RUNTIME,
        expect="""\
#if WASM_ENABLE_JIT != 0 && WASM_ENABLE_SHARED_HEAP != 0
#if UINTPTR_MAX == UINT64_MAX
    module_inst->e->shared_heap_start_off.u64 = UINT64_MAX;
""",
        replace="""\
    goto wamrpy_segments_done;
wamrpy_elements:
#if WASM_ENABLE_JIT != 0 && WASM_ENABLE_SHARED_HEAP != 0
#if UINTPTR_MAX == UINT64_MAX
    module_inst->e->shared_heap_start_off.u64 = UINT64_MAX;
""",
        why="Here the elements begin.",
        test=_TESTS + "test_elements_come_before_data",
    ),
    Cure(
        name="segment-order",
        file=_RUNTIME,
        expect="""\
    /* Initialize the thread related data */
    if (stack_size == 0)
""",
        replace="""\
    goto wamrpy_data;
wamrpy_segments_done:
    /* Initialize the thread related data */
    if (stack_size == 0)
""",
        why="And here they end.",
        test=_TESTS + "test_elements_come_before_data",
    ),
)
