/* copying_threads.c: threads that make instances of snapshots, for ThreadSanitizer
 * (tests/packaging/test_threads.py).
 *
 * Arguments: a file with the module COPIED (see the test), rounds. Each thread makes instances of
 * two snapshots that all share, one with a suspended call, writes, grows, resets, goes on, and
 * takes snapshots of its own. At the end, a thread closes what is shared. Answers 0, or says which
 * check failed.
 */
#include "python_side.h"
#include "thread_program.h"

#include <pthread.h>
#include <string.h>

#define THREADS 6
#define SUSPENDING 77

static wpy_module *module;
static wpy_func *host;
static wpy_snapshot *resting, *suspended;
static int rounds;

/* ---- Python's side ---- */

int
wpy_py_cells(int id, uint32_t *args, uint32_t *results)
{
    (void)id;
    if (args[0] == SUSPENDING)
        return WPY_SUSPENDS;
    results[0] = args[0] + 1;
    return 0;
}

/* ---- the work ---- */

static uint32_t
call(wpy_instance *instance, uint32_t index, uint32_t argument)
{
    wpy_func *func = wpy_instance_func(instance, index);
    uint32_t cells[4] = {argument};

    CHECK(func && wpy_call_cells(func, cells, 0, -1, NULL) == WPY_OK);
    wpy_release(func);
    return cells[0];
}

static wpy_instance *
copy(wpy_snapshot *snapshot, wpy_execution **execution)
{
    const wpy_imports imports = {.funcs = &host, .fuel = -1};
    wpy_made made;
    wpy_stop stop;
    int status = wpy_snapshot_instance(snapshot, &imports, &made, &stop);

    *execution = made.execution;
    if (status == WPY_CLOSED)
        return NULL;
    CHECK(status == WPY_OK);
    CHECK(!made.execution || (stop.reason == WPY_REASON_CALL && stop.args[0] == SUSPENDING));
    return made.instance;
}

static void
go_on(wpy_execution *execution, uint32_t answer)
{
    const wpy_resumption how = {.answer = &answer, .answer_count = 1, .slice_ns = WPY_NO_SLICE};
    uint32_t cells[4];
    wpy_stop stop;

    CHECK(wpy_execution_resume(execution, &how, cells, &stop) == WPY_OK);
    CHECK(cells[0] == answer + 1);
}

static void
use(wpy_instance *instance, uint32_t n)
{
    wpy_memory *memory = wpy_instance_memory(instance);
    uint32_t old;

    CHECK(call(instance, 2, 0) == 0); /* nobody has written here */
    call(instance, 3, n);
    CHECK(call(instance, 2, 0) == n);
    wpy_memory_pin(memory);
    CHECK(wpy_memory_grow(memory, 1, &old) == WPY_OK && old == 1);
    wpy_memory_unpin(memory);
    wpy_release(memory);
}

static void
copy_again(wpy_instance *instance, uint32_t n)
{
    wpy_snapshot *own;
    wpy_execution *execution;
    wpy_instance *made;
    char why[256];

    CHECK(wpy_snapshot_new(instance, NULL, n % 3, &own, why) == WPY_OK);
    made = copy(own, &execution);
    CHECK(made && call(made, 2, 0) == n);
    wpy_snapshot_close(own);
    CHECK(call(made, 1, 5) == 7);
    wpy_release(made);
    wpy_snapshot_release(own);
}

static void *
work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    int i;

    for (i = 0; i < rounds; i++) {
        uint32_t n = (uint32_t)rand_r(&seed) % 1000 + 1;
        wpy_execution *execution;
        wpy_instance *instance = copy(n % 2 ? resting : suspended, &execution);
        wpy_made made;
        wpy_stop stop;

        if (!instance)
            continue;
        use(instance, n);
        if (execution && n % 5)
            go_on(execution, n);
        if (execution)
            wpy_execution_free(execution);
        copy_again(instance, n);
        if (n % 3 == 0 && wpy_instance_reset(instance, resting, &made, &stop) == WPY_OK)
            CHECK(call(instance, 2, 0) == 0);
        if (n % 4)
            wpy_instance_close(instance);
        wpy_release(instance);
    }
    return NULL;
}

static void *
close_shared(void *argument)
{
    (void)argument;
    while (wpy_snapshot_alive(resting) == 0 && wpy_snapshot_alive(suspended) == 0)
        ;
    wpy_snapshot_close(suspended);
    return NULL;
}

static wpy_snapshot *
take(wpy_instance *instance, wpy_execution *execution)
{
    wpy_snapshot *snapshot;
    char why[256];

    CHECK(wpy_snapshot_new(instance, execution, 2, &snapshot, why) == WPY_OK);
    return snapshot;
}

int
main(int count, char **arguments)
{
    static const uint8_t kinds[2] = {0x7F, 0x7F};
    const wpy_imports imports = {.funcs = &host, .stack_bytes = 65536, .fuel = -1};
    uint32_t cells[4] = {SUSPENDING};
    pthread_t threads[THREADS + 1];
    wpy_instance *instance;
    wpy_execution *execution;
    wpy_func *func;
    wpy_stop stop;
    unsigned i;

    host = NULL;
    CHECK(count == 3 && wpy_setup() && wpy_runtime_start());
    module = load(arguments[1]);
    rounds = atoi(arguments[2]);
    CHECK((host = wpy_host_func_new(kinds, 1, 1, true, 0)));
    CHECK(wpy_instance_new(module, &imports, &instance) == WPY_OK);
    resting = take(instance, NULL);
    CHECK((func = wpy_instance_func(instance, 1)) && (execution = wpy_execution_new(func)));
    CHECK(wpy_execution_start(execution, cells, 0, -1, WPY_NO_SLICE, 0, &stop) == WPY_SUSPENDED);
    suspended = take(instance, execution);
    wpy_execution_free(execution);
    wpy_release(func);
    wpy_release(instance);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    CHECK(pthread_create(&threads[THREADS], NULL, close_shared, NULL) == 0);
    for (i = 0; i < THREADS + 1; i++)
        pthread_join(threads[i], NULL);
    CHECK(wpy_snapshot_alive(resting) == 0 && wpy_snapshot_alive(suspended) == 0);
    wpy_snapshot_close(resting);
    wpy_snapshot_release(resting);
    wpy_snapshot_release(suspended);
    wpy_release(host);
    wpy_module_release(module);
    wpy_runtime_stop();
    puts("done");
    return 0;
}
