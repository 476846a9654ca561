/* runtime.c: WAMR's start and stop, the registry's lock, threads, time; and where WAMR's own output goes: nowhere.
 *
 * WAMR is one per process and counts its starts under a lock of its own; what must be the same for both layers is how
 * the first start sets it up, so everybody starts it through wpy_runtime_start. The registry's lock guards what is rare:
 * handle counts, merges of groups, reference numbers. It is never held while wasm or Python code runs, and it is taken
 * over a fork, so that a child finds it free.
 */
#include "internal.h"

#include <stdarg.h>
#include <time.h>
#if !defined(BH_PLATFORM_WINDOWS)
#include <pthread.h>
#endif

__thread wpy_thread wpy_self;

static korp_mutex registry;
static uint64_t last_serial;
uint32_t wpy_forks;

/* WAMR prints through these two (see CMakeLists.txt); a library has no business on its host's stdout. */
int
wpy_vprintf(const char *format, va_list arguments)
{
    (void)format;
    (void)arguments;
    return 0;
}

void
wpy_log(uint32_t level, const char *file, int line, const char *format, ...)
{
    (void)level;
    (void)file;
    (void)line;
    (void)format;
}

void
wpy_registry_lock(void)
{
    os_mutex_lock(&registry);
}

void
wpy_registry_unlock(void)
{
    os_mutex_unlock(&registry);
}

#if !defined(BH_PLATFORM_WINDOWS)
uint64_t
wpy_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#else
uint64_t
wpy_now(void)
{
    return os_time_get_boot_us() * 1000u;
}
#endif

#if !defined(BH_PLATFORM_WINDOWS)
static pthread_key_t thread_key;

static void
forked(void)
{
    wpy_forks++;
    wpy_groups_forked();
    wpy_registry_unlock();
}

/* What a thread leaves behind: frames that nobody took. */
static void
thread_ended(void *self)
{
    wpy_thread *thread = self;
    uint32_t i;

    for (i = 0; i < thread->record_count; i++)
        free(thread->records[i].frames);
    free(thread->frames);
    thread->frames = NULL;
    thread->record_count = thread->frame_count = thread->frame_room = 0;
}
#endif

/* Once per process, before anything else here. */
bool
wpy_setup(void)
{
    static bool done;

    if (done)
        return true;
    if (os_mutex_init(&registry) != 0)
        return false;
#if !defined(BH_PLATFORM_WINDOWS)
    pthread_atfork(wpy_registry_lock, wpy_registry_unlock, forked);
    pthread_key_create(&thread_key, thread_ended);
#endif
    wamrpy = (WamrPyHooks){
        .link = wpy_link_hook,
        .unlink = wpy_unlink_hook,
        .foreign = wpy_foreign_hook,
        .call = wpy_call_hook,
        .trapped = wpy_trapped_hook,
        .checkpoint = wpy_checkpoint_hook,
        .enlarge = wpy_enlarge_hook,
        .trace = wpy_trace_hook,
        .returned = wpy_returned_hook,
    };
    wpy_regions_setup();
    wpy_wasi_setup();
    done = true;
    return true;
}

/* Counted; false: WAMR could not be started. Every start has its stop. */
bool
wpy_runtime_start(void)
{
    RuntimeInitArgs args;

    bool started;

    memset(&args, 0, sizeof args);
    args.mem_alloc_type = Alloc_With_Allocator;
    wpy_allocator(&args.mem_alloc_option);
    wpy_registry_lock(); /* WAMR's own lock must not be held over a fork */
    started = wasm_runtime_full_init(&args);
    wpy_registry_unlock();
    return started;
}

void
wpy_runtime_stop(void)
{
    wpy_registry_lock();
    wasm_runtime_destroy();
    wpy_registry_unlock();
}

/* This thread has not been in `instance` last: its stack's bounds are not those that the exec_env knows. */
COLD void
wpy_thread_arrived(wpy_instance *instance, wpy_thread *me)
{
    if (me->serial == 0) {
        wpy_registry_lock();
        me->serial = ++last_serial;
        wpy_registry_unlock();
#if !defined(BH_PLATFORM_WINDOWS)
        pthread_setspecific(thread_key, me);
#endif
    }
    if (instance->env) {
        wasm_exec_env_set_thread_info(instance->env);
        instance->thread = me->serial;
    }
}
