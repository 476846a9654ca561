/* threads.c: many threads in our C, without Python, for ThreadSanitizer
 * (tests/packaging/test_threads.py).
 *
 * Arguments: a file with the module BASE, one with USER (see the test), rounds. All threads use the
 * same instances: they call them, link new instances with them, close and drop those, pass host
 * functions, grow memories and tables, and interrupt. Returns 0, or prints the check that failed.
 */
#include "python_side.h"
#include "thread_program.h"

#include <pthread.h>
#include <string.h>

#define THREADS 6
#define SHARED 3

static wpy_module *base, *user;
static wpy_instance *shared[SHARED];
static wpy_func *host;
static int rounds;
static wpy_func *nested[SHARED]; /* the functions that the host function calls, by its argument */

/* ---- the functions of Python ---- */

static int
call(wpy_func *func, uint32_t *cells)
{
    wpy_error error;
    int status;

    do {
        status = wpy_call_cells(func, cells, 0, -1, NULL);
        if (status != WPY_OK) {
            CHECK(wpy_take_error(func, &error) == status);
            if (error.frames)
                wpy_take_frames(func, NULL, 0);
        }
    } while (status == WPY_BUSY);
    return status;
}

int
wpy_py_cells(int id, uint32_t *args, uint32_t *results)
{
    uint32_t cells[4] = {1};

    (void)id;
    if (args[0] >= 100 && args[0] < 100 + SHARED) /* from one instance into another */
        call(nested[args[0] - 100], cells);
    results[0] = args[0] + 1;
    return 0;
}

/* ---- the work ---- */

static wpy_instance *
instantiate(wpy_module *module, wpy_func **funcs, wpy_global **globals)
{
    wpy_imports imports = {.funcs = funcs, .globals = globals, .stack_bytes = 65536, .fuel = -1};
    wpy_instance *instance = NULL;
    int status;

    do
        status = wpy_instance_new(module, &imports, &instance);
    while (status == WPY_BUSY);
    if (status == WPY_OK)
        CHECK(instance);
    return instance;
}

static wpy_instance *
new_base(void)
{
    uint32_t value = 5;
    wpy_global *global = wpy_global_new(0x7F, true, &value);
    wpy_instance *instance;

    CHECK(global);
    instance = instantiate(base, &host, &global);
    CHECK(instance);
    wpy_release(global);
    return instance;
}

/* Makes an instance that calls two shared instances, whose groups merge. */
static void
link_two(unsigned a, unsigned b)
{
    wpy_func *funcs[2] = {wpy_instance_func(shared[a], 1), wpy_instance_func(shared[b], 1)};
    wpy_instance *instance = instantiate(user, funcs, NULL);
    wpy_func *sum;
    uint32_t cells[4] = {1};

    if (instance) { /* else: one was closed */
        CHECK((sum = wpy_instance_func(instance, 2)));
        CHECK(call(sum, cells) != WPY_DEADLOCK);
        wpy_instance_close(instance);
        wpy_release(sum);
        wpy_release(instance);
    }
    wpy_release(funcs[0]);
    wpy_release(funcs[1]);
}

static void
use_instance(wpy_instance *instance, unsigned n)
{
    wpy_memory *memory = wpy_instance_memory(instance);
    wpy_table *table = wpy_instance_table(instance, 0);
    wpy_global *global = wpy_instance_global(instance, 0);
    uint32_t old, ref, value[4] = {n};
    uint8_t marks[8] = {0};
    wpy_func *func;

    wpy_memory_pin(memory);
    CHECK(wpy_memory_size(memory) >= 65536 || wpy_memory_closed(memory));
    wpy_memory_grow(memory, n % 2, &old);
    wpy_memory_unpin(memory);
    wpy_retain_reference(table, wpy_func_ref(host));
    wpy_table_set(table, n % 4, wpy_func_ref(host));
    if (wpy_table_get(table, n % 4, &ref) == WPY_OK && (func = wpy_func_of_ref(ref)))
        wpy_release(func);
    wpy_table_grow(table, 1, UINT32_MAX, &old);
    wpy_table_size(table);
    wpy_global_set(global, value);
    wpy_global_get(global, value);
    wpy_mark_externrefs(instance, marks, sizeof marks);
    wpy_instance_fuel(instance);
    if (n % 16 == 0)
        wpy_instance_interrupt(instance);
    wpy_release(memory);
    wpy_release(table);
    wpy_release(global);
}

static void *
work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    int i;

    for (i = 0; i < rounds; i++) {
        unsigned n = (unsigned)rand_r(&seed), a = n % SHARED, b = n / SHARED % SHARED;
        uint32_t cells[4] = {100 + b};
        wpy_instance *own = new_base();
        wpy_func *func = wpy_instance_func(shared[a], 1), *mine = wpy_instance_func(own, 1);

        call(func, cells);
        cells[0] = 1;
        CHECK(call(mine, cells) == WPY_OK && cells[0] == 2);
        link_two(a, b);
        use_instance(shared[b], n / 64);
        use_instance(own, n);
        if (n % 3 == 0)
            wpy_instance_close(own);
        wpy_release(own);
        wpy_release(func);
        wpy_release(mine);
    }
    return NULL;
}

static void *
close_last(void *argument)
{
    (void)argument;
#if defined(RACE) /* a data race, which ThreadSanitizer must report */
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
    unsigned i;

    CHECK(count == 4 && wpy_setup() && wpy_runtime_start());
    base = load(arguments[1]);
    user = load(arguments[2]);
    rounds = atoi(arguments[3]);
    CHECK((host = wpy_host_func_new(kinds, 1, 1, true, 0)));
    for (i = 0; i < SHARED; i++) {
        shared[i] = new_base();
        CHECK((nested[i] = wpy_instance_func(shared[i], 1)));
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    CHECK(pthread_create(&threads[THREADS], NULL, close_last, NULL) == 0);
    for (i = 0; i < THREADS + 1; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < SHARED; i++) {
        wpy_release(nested[i]);
        wpy_release(shared[i]);
    }
    wpy_release(host);
    wpy_module_release(base);
    wpy_module_release(user);
    wpy_runtime_stop();
    puts("done");
    return 0;
}
