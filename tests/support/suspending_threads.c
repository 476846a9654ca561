/* suspending_threads.c: executions that are started, suspended, resumed, closed and freed by many
 * threads in random order, without Python, for ThreadSanitizer and AddressSanitizer
 * (tests/packaging/test_threads.py).
 *
 * Arguments: a file with the module SUSPENDER, one with LINKED (see the test), rounds. The threads
 * hand their suspended executions on by a pool, as Python hands them on between its threads.
 * Answers 0, or says which check failed.
 */
#include "python_side.h"
#include "thread_program.h"

#include <pthread.h>
#include <string.h>

#define THREADS 6
#define SHARED 4
#define POOL 24

static wpy_module *suspender, *linked;
static wpy_instance *shared[SHARED]; /* the last two are linked to the first */
static wpy_func *host, *functions[SHARED];
static wpy_execution *pool[POOL];
static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static int rounds;
static uint32_t seen[WPY_HELD + 1]; /* atomic: how often each status came */

/* ---- Python's side ---- */

int
wpy_py_cells(int id, uint32_t *args, uint32_t *results)
{
    (void)id;
    if (args[0] % 4 && wpy_may_suspend())
        return WPY_SUSPENDS;
    results[0] = args[0] + 1;
    return 0;
}

/* ---- executions ---- */

static wpy_execution *
exchange(unsigned place, wpy_execution *execution)
{
    wpy_execution *before;

    pthread_mutex_lock(&pool_mutex);
    before = pool[place % POOL];
    pool[place % POOL] = execution;
    pthread_mutex_unlock(&pool_mutex);
    return before;
}

/* Puts an execution that goes on later into the pool, and frees others, and what was there. */
static void
keep(wpy_execution *execution, unsigned place)
{
    uint32_t state = wpy_execution_state(execution);

    CHECK(state != WPY_RUNNING);
    if (state == WPY_ENDED)
        wpy_execution_free(execution);
    else if ((execution = exchange(place, execution)))
        wpy_execution_free(execution);
}

static void
check_status(int status, const wpy_stop *stop)
{
    __atomic_fetch_add(&seen[status], 1, __ATOMIC_RELAXED);
    switch (status) {
    case WPY_OK:
    case WPY_BUSY:
    case WPY_DEADLOCK:
    case WPY_HELD:
    case WPY_NOT_LAST:
    case WPY_RUNS_ALREADY:
        return;
    case WPY_SUSPENDED:
        CHECK(stop->reason == WPY_REASON_CALL || stop->reason == WPY_REASON_SLICE);
        return;
    default:
        CHECK(status == WPY_INTERRUPTED || status == WPY_FUEL || status == WPY_CLOSED ||
              status == WPY_TRAP || status == WPY_TIMEOUT || status == WPY_HOST);
    }
}

/* Starts a new execution; one that was refused before is started again. */
static void
start(wpy_execution *execution, unsigned n)
{
    uint32_t cells[4] = {n % 16};
    wpy_stop stop;

    check_status(wpy_execution_start(execution, cells, n % 5 ? 0 : 1000000000u, n % 7 ? -1 : 5000,
                                     n % 3 ? WPY_NO_SLICE : 0, n % 2 ? 1 + n % 200 : 0, &stop),
                 &stop);
    keep(execution, n / 64);
}

static void
start_new(wpy_func *func, unsigned n)
{
    wpy_execution *execution = wpy_execution_new(func);

    CHECK(execution);
    start(execution, n);
}

static void
go_on(unsigned n)
{
    wpy_execution *execution = exchange(n, NULL);
    uint32_t cells[4], answer[4] = {n};
    wpy_resumption how = {
        .status = n % 31 ? WPY_OK : WPY_TIMEOUT,
        .answer = answer,
        .answer_count = 1,
        .slice_ns = n % 3 ? WPY_NO_SLICE : 0,
        .slice_fuel = n % 2 ? 1 + n % 200 : 0,
    };
    wpy_stop stop;

    if (!execution)
        return;
    if (n % 13 == 0)
        CHECK(wpy_execution_close(execution));
    else if (wpy_execution_state(execution) == WPY_NEW) {
        start(execution, n);
        return;
    } else
        check_status(wpy_execution_resume(execution, &how, cells, &stop), &stop);
    keep(execution, n / 64);
}

/* ---- instances ---- */

static wpy_instance *
instantiate(wpy_module *module, wpy_func **funcs)
{
    wpy_imports imports = {.funcs = funcs, .stack_bytes = 65536, .fuel = -1};
    wpy_instance *instance = NULL;
    int status;

    do
        status = wpy_instance_new(module, &imports, &instance);
    while (status == WPY_BUSY);
    return instance;
}

/* An instance that is closed, or dropped, before its executions or after. */
static void
come_and_go(unsigned n)
{
    wpy_instance *instance = instantiate(suspender, &host);
    wpy_func *func;

    CHECK(instance && (func = wpy_instance_func(instance, 1)));
    start_new(func, n);
    start_new(func, n / 3);
    if (n % 2)
        wpy_instance_close(instance);
    wpy_release(func);
    wpy_release(instance);
}

static void
call(wpy_func *func, unsigned n)
{
    uint32_t cells[4] = {n};

    check_status(wpy_call_cells(func, cells, 0, n % 2 ? -1 : 100, NULL), NULL);
}

static void *
work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    int i;

    for (i = 0; i < rounds; i++) {
        unsigned n = (unsigned)rand_r(&seed) >> 4, which = n % SHARED;

        n /= SHARED;
        switch (n % 16) {
        case 0:
            come_and_go(n / 16);
            break;
        case 1:
            wpy_instance_interrupt(shared[which]);
            break;
        case 2:
            wpy_instance_extend_timeout(shared[which], n);
            wpy_instance_extended(shared[which]);
            break;
        case 3:
        case 4:
            call(functions[which], n / 16);
            break;
        case 5:
            wpy_instance_fuel(shared[which]);
            break;
        case 6:
        case 7:
        case 8:
            start_new(functions[which], n / 16);
            break;
        default:
            go_on(n / 16);
        }
    }
    return NULL;
}

static void *
close_one(void *argument)
{
    (void)argument;
#if defined(RACE) /* to see that it would be seen */
    rounds++;
#endif
    wpy_instance_close(shared[SHARED - 1]);
    return NULL;
}

int
main(int count, char **arguments)
{
    static const uint8_t kinds[2] = {0x7F, 0x7F};
    pthread_t threads[THREADS + 1];
    wpy_execution *execution;
    unsigned i;

    CHECK(count == 4 && wpy_setup() && wpy_runtime_start());
    suspender = load(arguments[1]);
    linked = load(arguments[2]);
    rounds = atoi(arguments[3]);
    CHECK((host = wpy_host_func_new(kinds, 1, 1, true, 0)));
    for (i = 0; i < SHARED; i++) {
        wpy_func *funcs[2] = {i < 2 ? host : functions[0], host};

        CHECK((shared[i] = instantiate(i < 2 ? suspender : linked, funcs)));
        CHECK((functions[i] = wpy_instance_func(shared[i], i < 2 ? 1 : 2)));
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    CHECK(pthread_create(&threads[THREADS], NULL, close_one, NULL) == 0);
    for (i = 0; i < THREADS + 1; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < POOL; i++)
        if ((execution = exchange(i, NULL)))
            wpy_execution_free(execution);
    for (i = 0; i < SHARED; i++) {
        wpy_release(functions[i]);
        wpy_release(shared[i]);
    }
    wpy_release(host);
    wpy_module_release(suspender);
    wpy_module_release(linked);
    wpy_runtime_stop();
    CHECK(seen[WPY_OK] && seen[WPY_CLOSED] && seen[WPY_TIMEOUT] && seen[WPY_INTERRUPTED]);
    CHECK(seen[WPY_SUSPENDED] && seen[WPY_NOT_LAST] && seen[WPY_HELD]);
    puts("done");
    return 0;
}
