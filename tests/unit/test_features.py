"""wamr.FEATURES: what a build has."""

import pytest

import wamr


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("simd", "(func (result v128) (v128.const i64x2 1 2))"),
        (
            "relaxed-simd",
            "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
        ),
        ("nontrapping-float-to-int", "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))"),
        ("tail-call", "(func $f (return_call $f))"),
        ("exceptions", "(func (block (try_table (catch_all 0))))"),
    ],
)
def test_a_feature_is_listed_where_modules_with_it_load(feature, text):
    """WAMR's build turns SIMD off for some processors."""
    data = wamr.wat2wasm(f"(module {text})")
    assert wamr.Module.validate(wamr.Engine(), data) is (feature in wamr.FEATURES)
