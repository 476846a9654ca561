/* reference_types.h: value types, with the long form of exception references.
 *
 * Included by wasm_loader.c, behind its macros for reading numbers. */

/* Reads a value type. (ref exn) and (ref null exn) are both taken as exnref: a
   reference that can't be null is one of a subset, and throw_ref checks. The
   caller has checked that there is one byte. */
static inline uint8
wamrpy_read_value_type(const uint8 **p_buf, const uint8 *buf_end)
{
    const uint8 *p = *p_buf;
    uint8 type = *p++;

    if ((type == 0x63 || type == 0x64) && p < buf_end && *p == VALUE_TYPE_EXNREF)
        type = *p++;
    *p_buf = p;
    return type;
}
#define read_value_type(p, p_end) wamrpy_read_value_type((const uint8 **)&(p), p_end)
