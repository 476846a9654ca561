/* threads.c: the locks of WAMR's platform layer, and the bounds of a thread's stack.
 *
 * Mutexes are not recursive, as on other systems. None of the functions needs the GIL.
 */
#include "platform_api_extension.h"
#include "platform_api_vmcore.h"

#include "compiler.h"

korp_tid
os_self_thread(void)
{
    return GetCurrentThreadId();
}

/* The lowest usable address of this thread's stack; the system has its guard pages below. */
uint8 *
os_thread_get_stack_boundary(void)
{
    static THREAD_LOCAL uint8 *known;

    if (!known) {
        ULONG_PTR low, high;

        GetCurrentThreadStackLimits(&low, &high);
        known = (uint8 *)low + 5 * (size_t)os_getpagesize(); /* guard pages, and one to spare */
    }
    return known;
}

void
os_thread_jit_write_protect_np(bool enabled)
{
    (void)enabled;
}

/* A thread needs nothing of this layer before it runs wasm code. */
int
os_thread_env_init(void)
{
    return 0;
}

void
os_thread_env_destroy(void)
{
}

bool
os_thread_env_inited(void)
{
    return true;
}

/* ---- mutexes ---- */

int
os_mutex_init(korp_mutex *mutex)
{
    InitializeSRWLock(mutex);
    return BHT_OK;
}

int
os_mutex_destroy(korp_mutex *mutex)
{
    (void)mutex;
    return BHT_OK;
}

int
os_mutex_lock(korp_mutex *mutex)
{
    AcquireSRWLockExclusive(mutex);
    return BHT_OK;
}

int
os_mutex_unlock(korp_mutex *mutex)
{
    ReleaseSRWLockExclusive(mutex);
    return BHT_OK;
}

/* ---- condition variables ---- */

int
os_cond_init(korp_cond *cond)
{
    InitializeConditionVariable(cond);
    return BHT_OK;
}

int
os_cond_destroy(korp_cond *cond)
{
    (void)cond;
    return BHT_OK;
}

int
os_cond_wait(korp_cond *cond, korp_mutex *mutex)
{
    return SleepConditionVariableSRW(cond, mutex, INFINITE, 0) ? BHT_OK : BHT_ERROR;
}

/* Waits at most so many microseconds, rounded up to milliseconds. */
int
os_cond_reltimedwait(korp_cond *cond, korp_mutex *mutex, uint64 useconds)
{
    uint64 ms = useconds / 1000 + (useconds % 1000 != 0);

    if (useconds == BHT_WAIT_FOREVER)
        return os_cond_wait(cond, mutex);
    if (SleepConditionVariableSRW(cond, mutex, ms < INFINITE ? (DWORD)ms : INFINITE - 1, 0))
        return BHT_OK;
    return GetLastError() == ERROR_TIMEOUT ? BHT_TIMED_OUT : BHT_ERROR;
}

int
os_cond_signal(korp_cond *cond)
{
    WakeConditionVariable(cond);
    return BHT_OK;
}

int
os_cond_broadcast(korp_cond *cond)
{
    WakeAllConditionVariable(cond);
    return BHT_OK;
}

/* ---- read-write locks ---- */

int
os_rwlock_init(korp_rwlock *lock)
{
    InitializeSRWLock(&lock->lock);
    lock->exclusive = false;
    return BHT_OK;
}

int
os_rwlock_destroy(korp_rwlock *lock)
{
    (void)lock;
    return BHT_OK;
}

int
os_rwlock_rdlock(korp_rwlock *lock)
{
    AcquireSRWLockShared(&lock->lock);
    return BHT_OK;
}

int
os_rwlock_wrlock(korp_rwlock *lock)
{
    AcquireSRWLockExclusive(&lock->lock);
    lock->exclusive = true;
    return BHT_OK;
}

int
os_rwlock_unlock(korp_rwlock *lock)
{
    if (lock->exclusive) {
        lock->exclusive = false;
        ReleaseSRWLockExclusive(&lock->lock);
    } else
        ReleaseSRWLockShared(&lock->lock);
    return BHT_OK;
}
