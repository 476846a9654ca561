# WAMR's platform layer on Windows: types and options for WAMR's runtime_lib.cmake, which includes this
# file. The functions are in src/native/windows, and compiled into `wpy`.

add_definitions(-DBH_PLATFORM_WINDOWS -D_CRT_SECURE_NO_WARNINGS -DNOMINMAX)

set(wamr_platform ${WAMR_ROOT_DIR}/core/shared/platform)
include_directories(${WPY_INCLUDE}/windows) # platform_internal.h
include_directories(${wamr_platform}/include)
include(${wamr_platform}/common/libc-util/platform_common_libc_util.cmake)
include(${wamr_platform}/common/memory/platform_api_memory.cmake)

set(PLATFORM_SHARED_SOURCE ${PLATFORM_COMMON_LIBC_UTIL_SOURCE} ${PLATFORM_COMMON_MEMORY_SOURCE})
