/* system.c: the rest of WAMR's platform layer: start, memory pages, clocks, texts.
 *
 * Clocks are read with QueryPerformanceCounter, which changes of the wall clock do not move.
 */
#include "windows/nt.h"

#include "compiler.h"

#define NS 1000000000u

int
bh_platform_init(void)
{
    return 0;
}

void
bh_platform_destroy(void)
{
}

int
os_vprintf(const char *format, va_list ap)
{
#if defined(BH_VPRINTF)
    return BH_VPRINTF(format, ap);
#else
    return vprintf(format, ap);
#endif
}

int
os_printf(const char *format, ...)
{
    va_list ap;
    int count;

    va_start(ap, format);
    count = os_vprintf(format, ap);
    va_end(ap);
    return count;
}

int
os_dumps_proc_mem_info(char *out, unsigned int size)
{
    if (size)
        *out = 0;
    return -1;
}

/* ---- memory: for AOT code and for WAMR's stacks; region.c has linear memories ---- */

void *
os_malloc(unsigned size)
{
    return malloc(size);
}

void *
os_realloc(void *block, unsigned size)
{
    return realloc(block, size);
}

void
os_free(void *block)
{
    free(block);
}

unsigned
os_getpagesize(void)
{
    SYSTEM_INFO info;

    GetNativeSystemInfo(&info);
    return info.dwPageSize;
}

static DWORD
protection(int prot)
{
    if (prot & MMAP_PROT_EXEC)
        return prot & MMAP_PROT_WRITE  ? PAGE_EXECUTE_READWRITE
               : prot & MMAP_PROT_READ ? PAGE_EXECUTE_READ
                                       : PAGE_EXECUTE;
    return prot & MMAP_PROT_WRITE  ? PAGE_READWRITE
           : prot & MMAP_PROT_READ ? PAGE_READONLY
                                   : PAGE_NOACCESS;
}

void *
os_mmap(void *hint, size_t size, int prot, int flags, os_file_handle file)
{
    (void)flags;
    (void)file; /* WAMR maps no files */
    return VirtualAlloc(hint, size, MEM_RESERVE | (prot ? MEM_COMMIT : 0), protection(prot));
}

void
os_munmap(void *address, size_t size)
{
    (void)size;
    if (address)
        VirtualFree(address, 0, MEM_RELEASE);
}

int
os_mprotect(void *address, size_t size, int prot)
{
    DWORD before;

    return !address || VirtualProtect(address, size, protection(prot), &before) ? 0 : -1;
}

void *
os_mem_commit(void *address, size_t size, int prot)
{
    return VirtualAlloc(address, size, MEM_COMMIT, protection(prot));
}

void
os_mem_decommit(void *address, size_t size)
{
    VirtualFree(address, size, MEM_DECOMMIT);
}

void
os_dcache_flush(void)
{
}

void
os_icache_flush(void *start, size_t size)
{
    FlushInstructionCache(GetCurrentProcess(), start, size);
}

/* ---- clocks ---- */

#define TICKS_TO_1970 116444736000000000u /* of 100 ns, since 1601 */

static uint64_t
ticks_of(const FILETIME *time)
{
    return ((uint64_t)time->dwHighDateTime << 32) | time->dwLowDateTime;
}

__wasi_timestamp_t
wpy_from_filetime(const FILETIME *time)
{
    uint64_t ticks = ticks_of(time);

    return ticks > TICKS_TO_1970 ? (ticks - TICKS_TO_1970) * 100 : 0;
}

FILETIME
wpy_to_filetime(__wasi_timestamp_t time)
{
    uint64_t ticks = time / 100 + TICKS_TO_1970;

    return (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
}

static uint64_t
frequency(void)
{
    static uint64_t known; /* atomic; the same in all threads */
    LARGE_INTEGER found;

    if (!ATOMIC_LOAD(&known)) {
        QueryPerformanceFrequency(&found);
        ATOMIC_STORE(&known, (uint64_t)found.QuadPart);
    }
    return ATOMIC_LOAD(&known);
}

static uint64_t
monotonic_ns(void)
{
    uint64_t per_second = frequency(), ticks;
    LARGE_INTEGER now;

    QueryPerformanceCounter(&now);
    ticks = (uint64_t)now.QuadPart;
    return ticks / per_second * NS + ticks % per_second * NS / per_second;
}

uint64
os_time_get_boot_us(void)
{
    return monotonic_ns() / 1000;
}

uint64
os_time_thread_cputime_us(void)
{
    __wasi_timestamp_t time = 0;

    os_clock_time_get(__WASI_CLOCK_THREAD_CPUTIME_ID, 0, &time);
    return time / 1000;
}

/* Sleeps at least so long. */
int
os_usleep(uint32 us)
{
    Sleep(us / 1000 + (us % 1000 != 0));
    return 0;
}

__wasi_errno_t
os_clock_time_get(__wasi_clockid_t clock, __wasi_timestamp_t precision, __wasi_timestamp_t *time)
{
    FILETIME now, ended, kernel, user;

    (void)precision;
    switch (clock) {
    case __WASI_CLOCK_REALTIME:
        GetSystemTimePreciseAsFileTime(&now);
        *time = wpy_from_filetime(&now);
        return 0;
    case __WASI_CLOCK_MONOTONIC:
        *time = monotonic_ns();
        return 0;
    case __WASI_CLOCK_PROCESS_CPUTIME_ID:
        if (!GetProcessTimes(GetCurrentProcess(), &now, &ended, &kernel, &user))
            return __WASI_ENOTSUP;
        *time = 100 * (ticks_of(&kernel) + ticks_of(&user));
        return 0;
    case __WASI_CLOCK_THREAD_CPUTIME_ID:
        if (!GetThreadTimes(GetCurrentThread(), &now, &ended, &kernel, &user))
            return __WASI_ENOTSUP;
        *time = 100 * (ticks_of(&kernel) + ticks_of(&user));
        return 0;
    default:
        return __WASI_EINVAL;
    }
}

__wasi_errno_t
os_clock_res_get(__wasi_clockid_t clock, __wasi_timestamp_t *resolution)
{
    const uint64_t tick = 15625000; /* CPU time is counted in ticks of the system's timer */

    switch (clock) {
    case __WASI_CLOCK_REALTIME:
        *resolution = 100;
        return 0;
    case __WASI_CLOCK_MONOTONIC:
        *resolution = frequency() < NS ? NS / frequency() : 1;
        return 0;
    case __WASI_CLOCK_PROCESS_CPUTIME_ID:
    case __WASI_CLOCK_THREAD_CPUTIME_ID:
        *resolution = tick;
        return 0;
    default:
        return __WASI_EINVAL;
    }
}
