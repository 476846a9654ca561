/* shared_code.h: the arrays of an instance that its copies share. */
#ifndef WPY_SHARED_CODE_H
#define WPY_SHARED_CODE_H

#include "runtime/runtime.h"

struct wpy_shared_code {
    uint32_t refs; /* atomic: of instances and snapshots */
    WASMFunctionInstance *functions;
    WASMGlobalInstance *globals;
    WASMExportFuncInstance *export_functions;
    void **natives;
    WASMFunctionImport *import_structs; /* of host functions, which are not in there */
};

/* Makes the instance's arrays shared ones; a reference, or NULL: out of memory. Under the lock of
   its group. */
wpy_shared_code *wpy_share_code(wpy_instance *instance);
void wpy_shared_code_release(wpy_shared_code *shared);
/* Gives the arrays to a new instance, which gets a reference. */
void wpy_use_shared_code(wpy_instance *instance, wpy_shared_code *shared);
/* From the unlink hook: WAMR must not free them. The instance keeps its reference. */
void wpy_hide_shared_code(wpy_instance *instance, WASMModuleInstance *wamr);

#endif
