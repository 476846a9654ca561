/* segment_errors.h: the errors for segments out of bounds, which name the segment.
 *
 * Included by wasm_runtime.c, after set_error_buf_v(). */

static void
set_data_segment_error(char *error_buf, uint32 error_buf_size, uint32 index,
                       const WASMDataSeg *segment, uint64 offset, uint64 memory_size)
{
    set_error_buf_v(error_buf, error_buf_size,
                    "out of bounds memory access: data segment %u puts %u bytes at address %" PRIu64
                    ", in a memory of %" PRIu64 " bytes",
                    index, segment->data_length, offset, memory_size);
}

static void
set_element_segment_error(char *error_buf, uint32 error_buf_size, uint32 index,
                          const WASMTableSeg *segment, uint32 offset, uint32 table_size)
{
    set_error_buf_v(error_buf, error_buf_size,
                    "out of bounds table access: element segment %u puts %u elements at index %u, "
                    "in a table of %u",
                    index, segment->value_count, offset, table_size);
}
