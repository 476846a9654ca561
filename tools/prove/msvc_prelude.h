/* msvc_prelude.h: MinGW's headers, read before any other code by clang for windows-msvc.
 *
 * They believe that they are read by MinGW's gcc, since for Microsoft's compiler they replace
 * __attribute__ by nothing. What comes after this file sees the macros of clang-cl. */

#pragma push_macro("_MSC_VER")
#undef _MSC_VER
#define __GNUC__ 12
#define __GNUC_MINOR__ 2
#define __MINGW32__ 1
#define __MINGW64__ 1
/* clang-format off: winsock2.h must be the first */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
/* clang-format on */
#include <bcrypt.h>
#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <intrin.h>
#include <inttypes.h>
#include <io.h>
#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <process.h>
#include <shlwapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timeb.h>
#include <sys/types.h>
#include <time.h>
#include <wchar.h>
#include <winternl.h>
#undef __GNUC__
#undef __GNUC_MINOR__
#undef __MINGW32__
#undef __MINGW64__
#pragma pop_macro("_MSC_VER")
