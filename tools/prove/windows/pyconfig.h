/* pyconfig.h: for compiling with CPython's headers for the limited API, on Windows with 64 bits.
 *
 * CPython's own pyconfig.h for Windows is in no package. Only what the headers and cffi ask for is here.
 */
#ifndef Py_CONFIG_H
#define Py_CONFIG_H

#define MS_WINDOWS 1
#define MS_WIN32 1
#define MS_WIN64 1
#define NT_THREADS 1
#define WITH_THREAD 1

#define HAVE_DECLSPEC_DLL 1
#define Py_ENABLE_SHARED 1
#define HAVE_DYNAMIC_LOADING 1

#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_SHORT 2
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF_HKEY 8
#define SIZEOF_FPOS_T 8
#define SIZEOF_PID_T 4
#define SIZEOF_UINTPTR_T 8
#define ALIGNOF_SIZE_T 8
#define PY_FORMAT_SIZE_T "ll"
#define PY_LONG_LONG long long

#define HAVE_STDINT_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDDEF_H 1
#define HAVE_STRING_H 1
#define HAVE_ERRNO_H 1
#define HAVE_IO_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_WCHAR_H 1
#define HAVE_STRFTIME 1
#define STDC_HEADERS 1
#define HAVE_PROTOTYPES 1
#define HAVE_SSIZE_T 1
typedef long long Py_ssize_t;
#define HAVE_PY_SSIZE_T 1
#define PY_SSIZE_T_MAX LLONG_MAX
#include <limits.h>
#define PLATLIBDIR "DLLs"
#define PYTHONFRAMEWORK ""
#define NTDDI_VERSION_FOR_PYTHON 0x0A000000
#include <io.h>

#endif
