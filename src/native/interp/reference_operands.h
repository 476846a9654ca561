/* reference_operands.h: which functions have references among their operands.
 *
 * Included by wasm_loader.c. A frame's cells have no types, so a frame with
 * references can't be told from one without them when the frame is copied. */

/* A value of this type was pushed. */
static inline void
wamrpy_note_reference(WASMLoaderContext *ctx, uint8 type)
{
    /* exnref, externref and funcref; the types between are of proposals that this
       build lacks */
    if ((uint8)(type - VALUE_TYPE_EXNREF) <= VALUE_TYPE_FUNCREF - VALUE_TYPE_EXNREF)
        ctx->has_references = true;
}
