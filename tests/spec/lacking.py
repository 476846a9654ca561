"""The files that need features which this build lacks, and the features.

A file of `known.FOREIGN` that is not in this table must pass whole. In a file of this table some
command must fail, and each module that is refused must need these features and no others, as its
error names them (`wamr.FEATURES` has the names). So the table tells why each line fails: its module
was refused, or it comes after such a module.
"""

# Feature: {folder: names of files}.
LACKING: dict[str, dict[str, str]] = {
    "compact-imports": {
        "proposals/compact-import-section": "binary-compact-imports",
    },
    "compact-imports multi-memory": {
        "proposals/compact-import-section": "imports-compact",
    },
    "custom-descriptors": {
        "proposals/custom-descriptors": (
            "br_on_cast_desc_eq br_on_cast_desc_eq_fail ref_cast_desc_eq ref_get_desc"
        ),
    },
    "custom-descriptors function-references gc": {
        "proposals/custom-descriptors": (
            "array_new_exact exact exact-casts exact-func-import struct_new_desc"
        ),
    },
    "custom-descriptors gc": {
        "proposals/custom-descriptors": "binary-descriptors descriptors",
    },
    "custom-page-sizes": {
        "proposals/custom-page-sizes": "memory_max",
    },
    "custom-page-sizes memory64": {
        "proposals/custom-page-sizes": "memory_max_i64",
    },
    "custom-page-sizes multi-memory": {
        "proposals/custom-page-sizes": "custom-page-sizes custom-page-sizes-invalid",
    },
    "function-references": {
        "proposals/function-references": (
            "br_on_non_null br_on_null br_table call_ref elem linking local_init ref "
            "ref_as_non_null ref_is_null ref_null return_call_ref table table-sub "
            "type-equivalence unreached-valid"
        ),
        "wasm-latest": (
            "br_on_non_null br_on_null br_table call_ref linking local_init ref ref_as_non_null "
            "ref_is_null return_call return_call_indirect return_call_ref table unreached-valid"
        ),
        "wasm-v3": (
            "br_on_non_null br_on_null br_table call_ref linking local_init ref ref_as_non_null "
            "ref_is_null return_call_ref table unreached-valid"
        ),
    },
    "function-references gc": {
        "proposals/custom-descriptors": "br_on_cast br_on_cast_fail",
        "proposals/gc": (
            "array array_copy array_fill array_init_data array_init_elem array_new_data "
            "array_new_elem br_on_cast br_on_cast_fail i31 ref_cast ref_test struct "
            "type-subtyping"
        ),
        "wasm-latest": "elem global ref_null type-canon type-equivalence type-rec",
        "wasm-v3": "elem global ref_null type-canon type-equivalence type-rec",
    },
    "function-references multi-memory": {
        "wasm-latest": "instance",
        "wasm-v3": "instance",
    },
    "gc": {
        "proposals/gc": "extern ref_eq",
        "wasm-latest": "data",
        "wasm-v3": "data",
    },
    "memory64": {
        "proposals/memory64": (
            "address64 align64 binary-leb128 endianness64 float_memory64 load64 memory64 "
            "memory_grow64 memory_redundancy64 memory_trap64"
        ),
    },
    "multi-memory": {
        "proposals/multi-memory": (
            "address0 address1 align0 binary0 data0 data1 data_drop0 exports0 float_exprs0 "
            "float_exprs1 float_memory0 imports0 imports1 imports2 imports3 imports4 linking0 "
            "linking1 linking2 linking3 load0 load1 load2 memory-multi memory_copy0 memory_copy1 "
            "memory_fill0 memory_grow memory_init0 memory_size0 memory_size1 memory_size2 "
            "memory_size_import memory_trap0 memory_trap1 start0 store0 store1 store2 traps0"
        ),
    },
    "relaxed-simd": {
        "proposals/relaxed-simd": (
            "i16x8_relaxed_q15mulr_s i32x4_relaxed_trunc i8x16_relaxed_swizzle "
            "relaxed_dot_product relaxed_laneselect relaxed_madd_nmadd relaxed_min_max"
        ),
    },
    "threads": {
        "proposals/threads": "atomic exports imports memory",
    },
    "wide-arithmetic": {
        "proposals/wide-arithmetic": "wide-arithmetic",
    },
}
