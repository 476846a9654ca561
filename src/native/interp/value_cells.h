/* value_cells.h: the number of cells of each value type.
 *
 * Included by wasm_loader.c, after its own macros for reading numbers. From there on a table
 * replaces WAMR's function wasm_value_type_cell_num(), which the loader calls for each operand. */

#if WASM_ENABLE_GC == 0
/* By value type; 0 where there is no such type. */
static const uint8 wamrpy_cells[256] = {
    [VALUE_TYPE_I32] = 1,     [VALUE_TYPE_F32] = 1,       [VALUE_TYPE_ANY] = 1,
    [VALUE_TYPE_FUNCREF] = 1, [VALUE_TYPE_EXTERNREF] = 1, [VALUE_TYPE_I64] = 2,
    [VALUE_TYPE_F64] = 2,     [VALUE_TYPE_V128] = 4,      [VALUE_TYPE_EXNREF] = 1,
};
#define wasm_value_type_cell_num(type) wamrpy_cells[(uint8)(type)]
#endif
