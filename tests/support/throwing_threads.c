/* throwing_threads.c: many threads that throw exceptions and catch them, without Python, for
 * ThreadSanitizer (tests/packaging/test_threads.py).
 *
 * Arguments: a file with the module THROWER, one with CATCHER (see the test), rounds. Threads share
 * instances, in groups that merge meanwhile, and each makes instances of its own, whose collections
 * see numbers of other groups on their stacks. Each value of an exception is checked. Returns 0, or
 * prints the check that failed.
 */
#define OWN_FORGET
#include "python_side.h"
#include "thread_program.h"

#include <pthread.h>
#include <string.h>

#define THREADS 6
#define SHARED 3
#define EXNREF 0x69
#define NULL_REF UINT32_MAX
#define IGNORED 8 /* the number of records that a thread has */
#define RAISED 7  /* the number of the only Python exception that there is */
#define WHILE_BUSY(status, call) \
    do                           \
        (status) = (call);       \
    while ((status) == WPY_BUSY)

/* The exports of THROWER, by the indices of functions. */
enum { HOST, THROW, MAKE, RAISE, CATCH_HOST, COLLECT };

static wpy_module *thrower, *catcher;
static wpy_instance *shared[SHARED];
static wpy_func *host;
static wpy_tag *host_tag;
static int rounds;
static __thread wpy_exception *raised; /* by the host function of this thread; a handle */
static __thread int forgotten;

/* ---- the functions of Python ---- */

int
wpy_py_cells(int id, uint32_t *args, uint32_t *results)
{
    (void)id;
    results[0] = args[0] + 1;
    if (!raised)
        return 0;
    wpy_exception_throw(raised, 0, RAISED);
    return RAISED;
}

void
wpy_py_forget(int number)
{
    CHECK(number == RAISED);
    forgotten++;
}

/* ---- helpers ---- */

static wpy_instance *
instantiate(wpy_module *module, wpy_func **funcs, wpy_tag **tags, wpy_budget *budget)
{
    wpy_imports imports = {
        .funcs = funcs, .tags = tags, .budget = budget, .stack_bytes = 65536, .fuel = -1};
    wpy_instance *instance = NULL;
    int status;

    WHILE_BUSY(status, wpy_instance_new(module, &imports, &instance));
    return status == WPY_OK ? instance : NULL;
}

/* The exception has a tag with one i32, and its value is what some thread has thrown. */
static uint32_t
value_of(wpy_exception *exception)
{
    uint8_t params[4];
    uint32_t value;

    CHECK(wpy_tag_params(wpy_exception_tag(exception), params, 4) == 1 && params[0] == 0x7F);
    value = *wpy_exception_cells(exception);
    CHECK(value >> 16 == 0x5A5A);
    return value;
}

/* Calls an export. `*out`: the handle on the exception that the call returns or raises. */
static int
call(wpy_instance *instance, uint32_t index, uint32_t *cells, wpy_exception **out)
{
    wpy_func *func = wpy_instance_func(instance, index);
    wpy_error error;
    int status;

    CHECK(func);
    *out = NULL;
    do {
        status = index == MAKE ? wpy_call_cells_held(func, cells, 0, -1, NULL)
                               : wpy_call_cells(func, cells, 0, -1, NULL);
        if (status == WPY_OK && index == MAKE)
            CHECK((*out = wpy_exception_held(cells[0])));
        if (status != WPY_OK) {
            CHECK(wpy_take_error(func, &error) == status);
            *out = error.exception;
            if (error.frames)
                wpy_take_frames(func, NULL, 0);
            CHECK(status == WPY_BUSY || status == WPY_CLOSED || status == WPY_EXCEPTION ||
                  status == WPY_HOST);
        }
    } while (status == WPY_BUSY);
    wpy_release(func);
    return status;
}

/* ---- the work ---- */

/* Throws, makes and collects in an instance. Returns a handle, or NULL: the instance is closed. */
static wpy_exception *
throw_exceptions(wpy_instance *instance, uint32_t value)
{
    uint32_t cells[4] = {value};
    wpy_exception *exception, *made;
    int status = call(instance, THROW, cells, &exception);

    CHECK(status == WPY_EXCEPTION || status == WPY_CLOSED);
    if (status == WPY_EXCEPTION) {
        CHECK(value_of(exception) == value);
        wpy_release(exception);
    }
    cells[0] = value;
    status = call(instance, MAKE, cells, &made);
    if (status == WPY_OK)
        CHECK(value_of(made) == value);
    cells[0] = 150;
    status = call(instance, COLLECT, cells, &exception);
    CHECK(status == WPY_CLOSED || (status == WPY_OK && cells[0] == 150 * 151 / 2));
    if (made)
        CHECK(value_of(made) == value);
    return made;
}

/* No error is taken: new records drop the oldest ones, and the thread's end the others. */
static void
ignore_errors(wpy_instance *instance, uint32_t value)
{
    wpy_func *func = wpy_instance_func(instance, THROW);
    int i;

    for (i = 0; i < 2 * IGNORED; i++) {
        uint32_t cells[4] = {value};
        int status;

        WHILE_BUSY(status, wpy_call_cells(func, cells, 0, -1, NULL));
        CHECK(status == WPY_EXCEPTION || status == WPY_CLOSED);
    }
    wpy_release(func);
}

/* The host function throws an exception, of any tag, and wasm code catches it or doesn't. */
static void
throw_from_host(wpy_instance *instance, wpy_exception *exception)
{
    uint32_t cells[4] = {1};
    wpy_exception *none;
    int status;

    raised = exception;
    forgotten = 0;
    status = call(instance, CATCH_HOST, cells, &none);
    CHECK(status == WPY_CLOSED || (status == WPY_OK && cells[0] == 1 && forgotten == 1));
    cells[0] = 1;
    status = call(instance, RAISE, cells, &none);
    CHECK(status == WPY_CLOSED || status == WPY_HOST);
    raised = NULL;
}

/* Passes the exception to the table and global of another instance, which merges the groups, and
 * looks at what other threads have left there. */
static void
pass(wpy_exception *exception, wpy_instance *to, uint32_t place)
{
    wpy_table *table = wpy_instance_table(to, 0);
    wpy_global *global = wpy_instance_global(to, 0);
    uint32_t ref = NULL_REF, cells[4] = {NULL_REF};
    uint8_t marks[8] = {0};
    wpy_exception *found;
    int status;

    if (exception) {
        WHILE_BUSY(status, wpy_exception_ref(exception, table, &ref));
        CHECK(status == WPY_OK || status == WPY_NO_MEMORY);
    }
    WHILE_BUSY(status, wpy_table_get(table, place % 4, &cells[0]));
    if (status == WPY_OK && (found = wpy_exnref_hold(table, cells[0]))) {
        value_of(found);
        wpy_release(found);
    }
    WHILE_BUSY(status, wpy_table_set(table, place % 4, ref));
    WHILE_BUSY(status, wpy_global_get(global, cells));
    if (status == WPY_OK && (found = wpy_exnref_hold(global, cells[0]))) {
        value_of(found);
        wpy_release(found);
    }
    cells[0] = ref;
    WHILE_BUSY(status, wpy_global_set(global, cells));
    wpy_mark_externrefs(to, marks, sizeof marks);
    wpy_release(table);
    wpy_release(global);
}

/* An instance that catches by the tag of one instance what the function of another throws. */
static void
link_two(unsigned a, unsigned b, uint32_t value)
{
    wpy_func *func = wpy_instance_func(shared[b], THROW);
    wpy_tag *tag = wpy_instance_tag(shared[a], 0);
    wpy_instance *instance = instantiate(catcher, &func, &tag, NULL);
    uint32_t cells[4] = {value};
    wpy_exception *none;

    if (instance) { /* else: one was closed */
        int status = call(instance, 1, cells, &none);

        CHECK(status == WPY_CLOSED || status == WPY_OK);
        if (status == WPY_OK)
            CHECK(cells[0] == (a == b ? value : 1));
        wpy_instance_close(instance);
        wpy_release(instance);
    }
    wpy_release(tag);
    wpy_release(func);
}

static void *
work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    int i;

    for (i = 0; i < rounds; i++) {
        unsigned n = (unsigned)rand_r(&seed), a = n % SHARED, b = n / SHARED % SHARED;
        uint32_t value = 0x5A5A0000u | (n & 0xFFFF);
        wpy_budget *budget = wpy_budget_new(NULL, 1 << 20, 1000);
        wpy_instance *own = instantiate(thrower, &host, NULL, budget);
        wpy_exception *mine = throw_exceptions(own, value), *theirs, *new;
        int status;

        CHECK(own && mine);
        theirs = throw_exceptions(shared[a], value);
        WHILE_BUSY(status, wpy_exception_new(host_tag, &value, &new));
        CHECK(status == WPY_OK);
        throw_from_host(own, n & 256 ? mine : new);
        if (n & 512)
            throw_from_host(shared[b], new);
        pass(n & 1024 ? mine : theirs, shared[b], n / 64);
        pass(n & 2048 ? theirs : mine, own, n);
        pass(new, own, n + 1);
        if (n % 8 == 0)
            ignore_errors(own, value);
        if (n % 4 == 0)
            link_two(a, b, value);
        if (n % 3 == 0)
            wpy_instance_close(own);
        wpy_release(new);
        wpy_release(own);
        wpy_budget_release(budget);
        value_of(mine);
        wpy_release(mine);
        if (theirs)
            wpy_release(theirs);
    }
    return NULL;
}

static void *
close_last(void *argument)
{
    (void)argument;
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
    thrower = load(arguments[1]);
    catcher = load(arguments[2]);
    rounds = atoi(arguments[3]);
    CHECK((host = wpy_host_func_new(kinds, 1, 1, true, 0)));
    CHECK((host_tag = wpy_tag_new(kinds, 1, NULL)));
    for (i = 0; i < SHARED; i++)
        CHECK((shared[i] = instantiate(thrower, &host, NULL, NULL)));
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
    CHECK(pthread_create(&threads[THREADS], NULL, close_last, NULL) == 0);
    for (i = 0; i < THREADS + 1; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < SHARED; i++)
        wpy_release(shared[i]);
    wpy_release(host_tag);
    /* each group whose instances import the function is freed: no exception has a handle left */
    CHECK(!wpy_release_unless_last(host));
    wpy_release(host);
    wpy_module_release(thrower);
    wpy_module_release(catcher);
    wpy_runtime_stop();
    puts("done");
    return 0;
}
