/* hooks.h: the hooks: functions of our C that the interpreter, the loader and the runtime
 * call.
 *
 * Included by wasm_runtime.h, after the declarations of its types. setup.c sets
 * the struct before any module is loaded. A hook that is NULL leaves WAMR's own
 * behaviour. So does an instance without custom_data, such as one of the C API. */

#include "compiler.h"

typedef struct WamrPyHooks {
    /* Called when memories, tables, globals and functions exist, and no segment
       or code was applied. False: instantiation fails with the text. */
    bool (*link)(struct WASMModuleInstanceCommon *, char *, uint32);
    /* Called first when an instance is freed, also after a failed
       instantiation. True: WAMR must not free the instance. */
    bool (*unlink)(struct WASMModuleInstanceCommon *);
    /* Returns the function for a table element that is not one of the instance's
       own; NULL where there is none, or its type differs. */
    WASMFunctionInstance *(*foreign)(WASMModuleInstance *, uint32, WASMFuncType *);
    /* Calls a host function with argument cells and result cells. False: the
       exception is set. */
    bool (*call)(struct WASMExecEnv *, WASMFunctionInstance *, uint32 *, uint32 *);
    /* Called when an exception leaves the interpreter, before the frames are
       freed. False: the call is suspended, and the frames stay. */
    bool (*trapped)(struct WASMExecEnv *);
    /* Called when a function of WASI has returned. */
    void (*returned)(struct WASMExecEnv *);
    /* Called when the exec_env's fuel is below zero. False: the exception is
       set. Code that is suspended here goes on `back` bytes before frame->ip;
       below zero: it can't be suspended here. */
    bool (*checkpoint)(struct WASMExecEnv *, int32 back);
    /* Called before a table grows within its maximum. False: it must not. */
    bool (*enlarge)(WASMModuleInstance *, WASMTableInstance *, uint32);
    /* A new exception, whose cells are to be filled in; NULL: a trap is set. */
    WamrPyException *(*new_exception)(struct WASMExecEnv *, void *tag, uint32 cell_num);
    /* Sets the exception that unwinds the code of an instance. */
    void (*throw_exception)(WASMModuleInstance *, WamrPyException *);
    /* The exception that unwinds; NULL: a trap does. */
    WamrPyException *(*thrown_exception)(WASMModuleInstance *);
    /* The exception was caught. */
    void (*caught_exception)(WASMModuleInstance *, WamrPyException *);
    /* No clause catches the exception in this activation of the interpreter. */
    void (*uncaught_exception)(WASMModuleInstance *);
    /* The exnref of an exception; 0: there is no room, and a trap is set. */
    uint32 (*exception_ref)(WASMModuleInstance *, WamrPyException *);
    /* The exception of an exnref; NULL: there is none. */
    WamrPyException *(*find_exception)(WASMModuleInstance *, uint32 ref);
    /* Called for each instruction while wamrpy_tracing is set, with its place in
       the module's bytes and its offset in the function's compiled code. */
    void (*trace)(uint32 function, const uint8 *at, uint32 compiled);
    /* The import with which suspended code goes on. Between two instructions it
       does nothing, and needs no frame. */
    WASMFunctionInstance *resumer;
} WamrPyHooks;
extern WamrPyHooks wamrpy;
extern os_thread_local_attribute bool wamrpy_tracing;

/* A reference to a function is the function's index plus the instance's base. */
#define WAMRPY_BASE(inst) ((inst)->reserved[0])
#define WAMRPY_REF(inst, index) ((index) == UINT32_MAX ? UINT32_MAX : (index) + WAMRPY_BASE(inst))

/* resuming.h */
void wamrpy_resume(WASMModuleInstance *, struct WASMExecEnv *, WASMFunctionInstance *);
