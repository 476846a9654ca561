/* locks.c: acquires locks of our C in an order that lock_order.h forbids, or releases one that it
 * does not hold. The assertions end the process. Run by tests/packaging/test_threads.py.
 */
#include "include/wpy.h"
#include "python_side.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : exit(3))

/* Declared in core.h, which needs WAMR's headers. */
void wpy_registry_lock(void);
void wpy_registry_unlock(void);
void wpy_group_leave(void *object, bool held);

/* The functions of Python, which this program never calls. */
int
wpy_py_cells(int id, uint32_t *arguments, uint32_t *results)
{
    return (void)id, (void)arguments, (void)results, 0;
}

int
main(int count, char **arguments)
{
    wpy_table *table;
    uint32_t element;

    CHECK(count == 2 && wpy_setup() && wpy_runtime_start());
    CHECK((table = wpy_table_new(0x70, 1, 1, true, NULL)));
    if (!strcmp(arguments[1], "in-order")) {
        CHECK(wpy_table_get(table, 0, &element) == WPY_OK);
        wpy_release(table);
    }
    if (!strcmp(arguments[1], "registry-twice")) {
        wpy_registry_lock();
        wpy_registry_lock();
    }
    if (!strcmp(arguments[1], "group-after-registry")) {
        wpy_registry_lock();
        wpy_table_get(table, 0, &element);
    }
    if (!strcmp(arguments[1], "registry-not-taken"))
        wpy_registry_unlock();
    if (!strcmp(arguments[1], "group-not-entered"))
        wpy_group_leave(table, true);
    return 0;
}
