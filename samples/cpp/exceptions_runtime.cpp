// The parts of libc++, libc++abi and libunwind that C++ exceptions need. In the package ziglang
// these libraries are compiled without exceptions for WASI, but it has their sources, in its lib/.
#define LIBCXX_BUILDING_LIBCXXABI
#define LIBCXXABI_NON_DEMANGLING_TERMINATE
#define NDEBUG
#define _LIBCPP_BUILDING_LIBRARY
#define _LIBCXXABI_BUILDING_LIBRARY
#define _LIBCXXABI_HAS_NO_THREADS
#define _LIBUNWIND_HIDE_SYMBOLS

#include "libcxx/src/exception.cpp"
#include "libcxxabi/src/abort_message.cpp"
#include "libcxxabi/src/cxa_default_handlers.cpp"
#include "libcxxabi/src/cxa_exception.cpp"
#include "libcxxabi/src/cxa_exception_storage.cpp"
#include "libcxxabi/src/cxa_handlers.cpp"
#include "libcxxabi/src/cxa_personality.cpp"
#include "libcxxabi/src/cxa_virtual.cpp"
#include "libcxxabi/src/fallback_malloc.cpp"
#include "libcxxabi/src/private_typeinfo.cpp"
#include "libcxxabi/src/stdlib_exception.cpp"
#include "libcxxabi/src/stdlib_new_delete.cpp"
#include "libcxxabi/src/stdlib_typeinfo.cpp"

#include "libunwind/src/config.h"
#include <threads.h>
#include <unwind.h>
extern "C" {
#include "libunwind/src/Unwind-wasm.c"
}

// The tag of all C++ exceptions, whose value is the address of the exception object.
__asm__(".globl __cpp_exception\n"
        ".tagtype __cpp_exception i32\n"
        "__cpp_exception:");
