/* type_table.h: makes equal function types share one struct, by means of a hash table.
 *
 * Included by wasm_loader.c, before load_type_section(). */

#if WASM_ENABLE_GC == 0
/* Returns the first slot for a type in a table of mask + 1 slots, a power of two.
   The seed is an address, which differs between processes, so that no module can
   be made for collisions. */
static uint32
hash_func_type(const WASMFuncType *type, uint32 mask)
{
    uint64 hash = (uint64)(uintptr_t)&hash_func_type;
    uint32 i, count = (uint32)type->param_count + type->result_count;

    hash = (hash ^ type->param_count) * 0x9E3779B97F4A7C15ull;
    for (i = 0; i < count; i++)
        hash = (hash ^ (hash >> 29) ^ type->types[i]) * 0x9E3779B97F4A7C15ull;
    return (uint32)(hash >> 32) & mask;
}

/* Replaces each type by the first equal one. WAMR compares types by address. */
static bool
share_equal_types(WASMModule *module, char *error_buf, uint32 error_buf_size)
{
    uint32 *slots, *slot, mask = 15, i;
    bool ret = false;

    while (mask < UINT32_MAX / 2 && mask / 2 < module->type_count)
        mask = mask * 2 + 1;
    if (!(slots = loader_malloc(sizeof(uint32) * ((uint64)mask + 1), error_buf, error_buf_size)))
        return false;
    for (i = 0; i < module->type_count; i++) {
        WASMFuncType *type = module->types[i], *other = NULL;
        uint32 at = hash_func_type(type, mask);

        for (; *(slot = &slots[at]); at = (at + 1) & mask) {
            other = module->types[*slot - 1];
            if (wasm_type_equal(type, other, module->types, i))
                break;
        }
        if (!*slot) {
            *slot = i + 1;
            continue;
        }
        if (other->ref_count == UINT16_MAX) {
            set_error_buf(error_buf, error_buf_size, "wasm type's ref count too large");
            goto fail;
        }
        destroy_wasm_type(type);
        module->types[i] = other;
        other->ref_count++;
    }
    ret = true;
fail:
    wasm_runtime_free(slots);
    return ret;
}
#endif
