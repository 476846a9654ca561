/* The cells of a value's type, from a table.
 *
 * Included by wasm_loader.c, behind its own macros for reading numbers. From there on the table
 * takes the place of WAMR's function of the same name, which the loader calls for each operand. */

#if WASM_ENABLE_GC == 0
/* the cells of a value of each type; none, where there is no such type */
static const uint8 wamrpy_cells[256] = {
    [VALUE_TYPE_I32] = 1,     [VALUE_TYPE_F32] = 1,       [VALUE_TYPE_ANY] = 1,
    [VALUE_TYPE_FUNCREF] = 1, [VALUE_TYPE_EXTERNREF] = 1, [VALUE_TYPE_I64] = 2,
    [VALUE_TYPE_F64] = 2,     [VALUE_TYPE_V128] = 4,      [VALUE_TYPE_EXNREF] = 1,
};
#define wasm_value_type_cell_num(type) wamrpy_cells[(uint8)(type)]
#endif
