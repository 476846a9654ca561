/* locks.c: acquires locks of our C in an order that lock_order.h forbids, or releases one that it
 * does not hold. The assertions end the process. `fair` gives a lock back that another thread waits
 * for, and acquires it again at once. Run by tests/packaging/test_threads.py.
 */
#include "include/wpy.h"
#include "python_side.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition) ((condition) ? (void)0 : exit(3))

/* Declared in core.h, which needs WAMR's headers. */
void wpy_registry_lock(void);
void wpy_registry_unlock(void);
int wpy_group_enter(void *object, bool *acquired);
void wpy_group_leave(void *object, bool acquired);

/* The functions of Python, which this program never calls. */
int
wpy_py_cells(int id, uint32_t *arguments, uint32_t *results)
{
    return (void)id, (void)arguments, (void)results, 0;
}

/* Acquires the lock of the object's group. The first member of an object is its group, whose first
 * member has bit 0 set where a thread sleeps for the lock. */
static void
enter(void *object)
{
    bool acquired;
    int status;

    while ((status = wpy_group_enter(object, &acquired)) == WPY_BUSY)
        ;
    CHECK(status == WPY_OK && acquired);
}

static bool
is_waited_for(void *object)
{
    return __atomic_load_n(*(uintptr_t **)object, __ATOMIC_SEQ_CST) & 1;
}

static bool other_had_it; /* under the lock */

static void *
enter_once(void *object)
{
    enter(object);
    other_had_it = true;
    wpy_group_leave(object, true);
    return NULL;
}

/* How often this thread gets the lock before one that waits for it. */
static int
times_before_other(void *object)
{
    const struct timespec a_while = {.tv_nsec = 3000000};
    pthread_t other;
    int times = 0;

    enter(object);
    other_had_it = false;
    CHECK(pthread_create(&other, NULL, enter_once, object) == 0);
    while (!other_had_it) {
        while (!is_waited_for(object))
            ;
        nanosleep(&a_while, NULL);
        wpy_group_leave(object, true);
        enter(object);
        times++;
    }
    wpy_group_leave(object, true);
    CHECK(pthread_join(other, NULL) == 0);
    return times - 1;
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
    if (!strcmp(arguments[1], "fair")) {
        int i, times = 0;
        for (i = 0; i < 50; i++)
            times += times_before_other(table);
        printf("%d\n", times);
    }
    return 0;
}
