/* What calling.py tells callgrind from within Python: where counting begins, and whose the counts
 * since the last mark are. */
#include <valgrind/callgrind.h>

void
begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void
mark(const char *text)
{
    CALLGRIND_DUMP_STATS_AT(text);
}
