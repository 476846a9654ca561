/* thread.c: the state of a thread, the registry's lock, and the clock.
 *
 * The registry's lock guards what is rare: handle counts, merges of groups, reference numbers,
 * budgets. It is never held while wasm or Python code runs. It is acquired before a fork and
 * released after it (setup.c), so that the child finds it free.
 */
#include "core/core.h"
#if defined(WPY_CHECKED)
#include "include/checked_locks.h"
#include "include/now.h"
#endif

#include <time.h>
#if !defined(BH_PLATFORM_WINDOWS)
#include <pthread.h>
#endif

THREAD_LOCAL wpy_thread wpy_self;

static korp_mutex registry;
static uint64_t last_serial;
uint32_t wpy_forks;

uint32_t
wpy_fork_count(void)
{
    return wpy_forks;
}

void
wpy_registry_lock(void)
{
    ACQUIRES_LOCK(WPY_REGISTRY_LOCK);
    os_mutex_lock(&registry);
}

void
wpy_registry_unlock(void)
{
    RELEASES_LOCK(WPY_REGISTRY_LOCK);
    os_mutex_unlock(&registry);
}

#if defined(WPY_CHECKED)
void
wpy_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s (see lock_order.h)\n", file, line, condition);
    abort();
}

void
wpy_leaf_lock_begins(void)
{
    ASSERT_NO_LOCKS();
    ACQUIRES_LOCK(WPY_LEAF_LOCK);
}

void
wpy_leaf_lock_ends(void)
{
    RELEASES_LOCK(WPY_LEAF_LOCK);
}
#endif

/* The clock is that of Python's time.monotonic(), since times of it are passed to Python. On macOS
   this one stands still while the machine sleeps, and CLOCK_MONOTONIC doesn't. */
#if defined(__APPLE__)
#define PYTHON_CLOCK CLOCK_UPTIME_RAW
#else
#define PYTHON_CLOCK CLOCK_MONOTONIC
#endif

#if !defined(BH_PLATFORM_WINDOWS)
uint64_t
wpy_now(void)
{
    struct timespec now;
    clock_gettime(PYTHON_CLOCK, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
#else
uint64_t
wpy_now(void)
{
    __wasi_timestamp_t now = 0;

    os_clock_time_get(__WASI_CLOCK_MONOTONIC, 0, &now);
    return now;
}
#endif

#if defined(BH_PLATFORM_WINDOWS)
static DWORD thread_key = FLS_OUT_OF_INDEXES;
#define THREAD_END_CALL WINAPI
#else
static pthread_key_t thread_key;
#define THREAD_END_CALL
#endif

/* Frees what an ended thread owns: the frames of errors that Python didn't take. */
static void THREAD_END_CALL
thread_ended(void *self)
{
    wpy_thread *thread = self;
    uint32_t i;

    for (i = 0; i < thread->record_count; i++)
        wpy_error_record_clear(&thread->records[i]);
    free(thread->frames);
    thread->frames = NULL;
    thread->record_count = thread->frame_count = thread->frame_room = 0;
}

/* Once per process, before anything else. False: the system has no room for it. */
bool
wpy_threads_setup(void)
{
    if (os_mutex_init(&registry) != 0)
        return false;
#if defined(BH_PLATFORM_WINDOWS)
    thread_key = FlsAlloc(thread_ended);
    return thread_key != FLS_OUT_OF_INDEXES;
#else
    return pthread_key_create(&thread_key, thread_ended) == 0;
#endif
}

void
wpy_thread_begin(wpy_thread *me)
{
    wpy_registry_lock();
    me->serial = ++last_serial;
    wpy_registry_unlock();
#if defined(BH_PLATFORM_WINDOWS)
    FlsSetValue(thread_key, me);
#else
    pthread_setspecific(thread_key, me);
#endif
}
