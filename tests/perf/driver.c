/* driver.c: runs each operation of our C a number of times under callgrind, which counts each one
 * by itself.
 *
 *     valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no … ./driver module.wasm
 *     …                                                                  ./driver load module.wasm
 *
 * It replaces Python: it calls the functions of wpy.h, and its host functions are called by wasm.
 * Each path runs a few times first, so that the work of first calls (filling pools, looking up
 * functions) is not counted, and then COUNT times between two marks. callgrind writes one file for
 * each path, which has the path's name (counting.py reads them). Every result is checked, so a path
 * that fails is not taken for a fast one. With `load`, it loads and instantiates a given module
 * once, without imports.
 */
#define OWN_WASI_WRITE
#include "../support/python_side.h"
#include "include/entry.h"
#include "include/wpy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#define COUNT 100
#define WARM 3
#define ERROR_SIZE 256

#define CHECK(what)                                                        \
    do {                                                                   \
        if (!(what)) {                                                     \
            fprintf(stderr, "driver.c:%d: not so: %s\n", __LINE__, #what); \
            exit(1);                                                       \
        }                                                                  \
    } while (0)

/* ---- the functions of Python that our C calls ---- */

int
wpy_py_cells(int host_id, uint32_t *args, uint32_t *results)
{
    (void)host_id;
    results[0] = args[0] + args[1];
    return 0;
}

static int
entered(uint32_t id, const uint8_t *kinds, uint32_t param_count, uint32_t result_count,
        const uint32_t *args, uint32_t *results)
{
    (void)id, (void)kinds, (void)param_count, (void)result_count;
    results[0] = args[0] + args[1];
    return 0;
}

int
wpy_py_wasi_write(uint64_t who, int fd, const uint8_t *data, uint32_t size)
{
    (void)who, (void)fd, (void)data;
    return (int)size;
}

/* ---- the objects of the paths ---- */

static uint8_t *bytes;
static uint32_t size;
static wpy_module *module;
static wpy_instance *instance;
static wpy_func *host, *host_by_cells;

static void
read_module(const char *path)
{
    FILE *file = fopen(path, "rb");
    long length;

    CHECK(file && fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) > 0);
    CHECK((bytes = malloc((size_t)length)) != NULL);
    rewind(file);
    CHECK(fread(bytes, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    size = (uint32_t)length;
}

static wpy_module *
loaded(void)
{
    char error[ERROR_SIZE];
    wpy_module *made = wpy_module_new(bytes, size, error, sizeof error);

    if (!made)
        fprintf(stderr, "%s\n", error);
    CHECK(made);
    return made;
}

static wpy_instance *
instantiated(void)
{
    wpy_func *funcs[2] = {host, host_by_cells};
    wpy_imports imports = {.funcs = funcs, .stack_bytes = 64 * 1024, .fuel = -1, .instance_id = 1};
    wpy_instance *made = NULL;

    CHECK(wpy_instance_new(module, &imports, &made) == WPY_OK);
    CHECK(wpy_instance_start(made) == WPY_OK);
    return made;
}

/* The export's index in the space of its kind. */
static uint32_t
export_index(const char *name)
{
    const wpy_extern *exports;
    uint32_t i, count = wpy_module_exports(module, &exports);

    for (i = 0; i < count; i++)
        if (exports[i].name_size == strlen(name) &&
            !memcmp(exports[i].name, name, exports[i].name_size))
            return exports[i].index;
    fprintf(stderr, "the module has no export %s\n", name);
    exit(1);
}

/* ---- the paths ---- */

static void
path_load(void)
{
    wpy_module_release(loaded());
}

static void
path_instantiate(void)
{
    wpy_release(instantiated());
}

static wpy_func *add, *run, *run_by_cells, *loop, *trap, *indirect;
static wpy_memory *memory;
static wpy_table *table;
static wpy_global *global;

static void
path_call(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_cells(add, cells, 0, -1, NULL) == WPY_OK && cells[0] == 5);
#if defined(MORE_WORK) /* test_instruction_counts.py checks that the counts show this */
    CHECK(wpy_call_cells(add, cells, 0, -1, NULL) == WPY_OK && cells[0] == 8);
#endif
}

static void
path_call_now(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_now(add, cells) == WPY_OK && cells[0] == 5);
}

/* With a timeout and fuel: the slow path of entering an instance. */
static void
path_call_limited(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_cells(add, cells, 3600000000000u, 1000000, NULL) == WPY_OK && cells[0] == 5);
}

static void
path_callback(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_cells(run, cells, 0, -1, NULL) == WPY_OK && cells[0] == 5);
}

static void
path_callback_cells(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_cells(run_by_cells, cells, 0, -1, NULL) == WPY_OK && cells[0] == 5);
}

static void
path_call_indirect(void)
{
    uint32_t cells[2] = {2, 3};

    CHECK(wpy_call_cells(indirect, cells, 0, -1, NULL) == WPY_OK && cells[0] == 5);
}

/* A thousand rounds of the interpreter: load, add, store, branch. */
static void
path_interpret(void)
{
    uint32_t cells[2] = {1000, 0};

    CHECK(wpy_call_cells(loop, cells, 0, -1, NULL) == WPY_OK && cells[0] == 500500);
}

static void
path_trap(void)
{
    uint32_t cells[2] = {0, 0};
    wpy_error error;
    wpy_frame frames[4];

    CHECK(wpy_call_cells(trap, cells, 0, -1, NULL) == WPY_TRAP);
    CHECK(wpy_take_error(trap, &error) == WPY_TRAP && error.frames == 1);
    CHECK(wpy_take_frames(trap, frames, 4) == 1);
}

static void
path_grow(void)
{
    uint32_t old;

    CHECK(wpy_memory_grow(memory, 1, &old) == WPY_OK);
}

static void
path_memory(void)
{
    wpy_memory_pin(memory);
    CHECK(wpy_memory_data(memory) && wpy_memory_size(memory));
    wpy_memory_unpin(memory);
}

static void
path_table(void)
{
    uint32_t ref;

    CHECK(wpy_table_get(table, 0, &ref) == WPY_OK && wpy_table_set(table, 0, ref) == WPY_OK);
}

static void
path_global(void)
{
    uint64_t cells[2] = {0, 0};

    CHECK(wpy_global_get(global, cells) == WPY_OK && wpy_global_set(global, cells) == WPY_OK);
}

static void
path_host_function(void)
{
    const uint8_t kinds[] = {0x7F, 0x7F, 0x7F};
    wpy_func *made = wpy_host_func_new(kinds, 2, 1, false, 0);

    CHECK(made);
    wpy_release(made);
}

static const struct {
    const char *name;
    void (*path)(void);
} paths[] = {
    {"load", path_load},
    {"instantiate", path_instantiate},
    {"host_function", path_host_function},
    {"call", path_call},
    {"call_now", path_call_now},
    {"call_limited", path_call_limited},
    {"callback", path_callback},
    {"callback_cells", path_callback_cells},
    {"call_indirect", path_call_indirect},
    {"interpret", path_interpret},
    {"trap", path_trap},
    {"grow", path_grow},
    {"memory", path_memory},
    {"table", path_table},
    {"global", path_global},
};

/* The same loop without a path, which counting.py subtracts. */
static void
nothing(void)
{
}

static void
count(const char *name, void (*path)(void), int warm, int times)
{
    void (*volatile called)(void) = path;
    char mark[64];
    int i;

    for (i = 0; i < warm; i++)
        called();
    snprintf(mark, sizeof mark, "%s %d", name, times);
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
    for (i = 0; i < times; i++)
        called();
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(mark);
}

/* The same that path_instantiate does, of a module that imports nothing, or only functions like
 * ours. */
static void
instantiate_any(void)
{
    const wpy_extern *imported;
    uint32_t i, many = wpy_module_imports(module, &imported);
    wpy_func **funcs = malloc((many + 1) * sizeof *funcs);
    wpy_imports imports = {.funcs = funcs, .stack_bytes = 64 * 1024, .fuel = -1, .instance_id = 1};
    wpy_instance *made = NULL;

    CHECK(funcs);
    for (i = 0; i < many; i++)
        funcs[i] = host;
    CHECK(wpy_instance_new(module, &imports, &made) == WPY_OK);
    wpy_release(made);
    free(funcs);
}

static int
load_only(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    count("nothing", nothing, 0, 1);
    count("load", path_load, 0, 1);
    module = loaded();
    count("instantiate", instantiate_any, 0, 1);
    return 0;
}

int
main(int argc, char **argv)
{
    const uint8_t kinds[] = {0x7F, 0x7F, 0x7F};
    size_t i;

    CHECK((argc == 2 || (argc == 3 && !strcmp(argv[1], "load"))) && RUNNING_ON_VALGRIND);
    read_module(argv[argc - 1]);
    CHECK(wpy_setup() && wpy_runtime_start());
    wpy_host_set_entry(entered, NULL);
    CHECK((host = wpy_host_func_new(kinds, 2, 1, false, 0)) &&
          (host_by_cells = wpy_host_func_new(kinds, 2, 1, true, 0)));
    if (argc == 3)
        return load_only();
    module = loaded();
    instance = instantiated();
    add = wpy_instance_func(instance, export_index("add"));
    run = wpy_instance_func(instance, export_index("run"));
    run_by_cells = wpy_instance_func(instance, export_index("run_by_cells"));
    loop = wpy_instance_func(instance, export_index("loop"));
    trap = wpy_instance_func(instance, export_index("trap"));
    indirect = wpy_instance_func(instance, export_index("indirect"));
    memory = wpy_instance_memory(instance);
    table = wpy_instance_table(instance, export_index("table"));
    global = wpy_instance_global(instance, export_index("global"));
    CHECK(add && run && run_by_cells && loop && trap && indirect && memory && table && global);
    CALLGRIND_START_INSTRUMENTATION;
    count("nothing", nothing, 0, COUNT);
    for (i = 0; i < sizeof paths / sizeof *paths; i++)
        count(paths[i].name, paths[i].path, WARM, COUNT);
    return 0;
}
