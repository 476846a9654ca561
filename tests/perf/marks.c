/* marks.c: functions that let calling.py control callgrind from Python: one starts the counting,
 * the other names the counts since the last mark. */
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
