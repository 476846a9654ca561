/* extension.h: what the source of the extension module includes, which cffi generates. */
#ifndef WPY_EXTENSION_H
#define WPY_EXTENSION_H

#include "cpython/convert.h"
#include "capi/capi.h"
#include "capi/python_functions.h"
#include "include/wpy.h"
#include "include/python_functions.h"
#ifndef PYPY_VERSION
#include "cpython/init.h"
#endif

#endif
