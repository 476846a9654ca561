/* The hooks: what the interpreter, the loader and the runtime ask our C.
 *
 * Included by wasm_runtime.h, once its types are declared. setup.c fills the
 * struct in before any module is loaded. A hook that is NULL leaves WAMR's own
 * behaviour; so does an instance without custom_data, such as those of the
 * C API layer. */

/* Set by the host before any module is loaded; NULL: as without it. */
typedef struct WamrPyHooks {
    /* Memories, tables, globals and functions exist; segments and code come
       after. False: instantiation fails with the text. */
    bool (*link)(struct WASMModuleInstanceCommon *, char *, uint32);
    /* First thing when an instance goes, also one that failed. True: leave it
       alone. */
    bool (*unlink)(struct WASMModuleInstanceCommon *);
    /* What a table's element that is not the instance's own stands for; NULL:
       nothing, or of another type. */
    WASMFunctionInstance *(*foreign)(WASMModuleInstance *, uint32, WASMFuncType *);
    /* The direct convention: argument cells in, result cells out. False: the
       exception is set. */
    bool (*call)(struct WASMExecEnv *, WASMFunctionInstance *, uint32 *, uint32 *);
    /* An exception leaves the interpreter; the frames still stand. */
    void (*trapped)(struct WASMExecEnv *);
    /* A function of WASI has returned. */
    void (*returned)(struct WASMExecEnv *);
    /* The exec_env's fuel is below zero. False: the exception is set. */
    bool (*checkpoint)(struct WASMExecEnv *);
    /* A table is about to grow within its maximum. False: it must not. */
    bool (*enlarge)(WASMModuleInstance *, WASMTableInstance *, uint32);
    /* A new exception, whose cells are to be filled in; NULL: a trap is set. */
    WamrPyException *(*new_exception)(struct WASMExecEnv *, void *tag, uint32 cell_num);
    /* Sets the exception on its way out of the code of an instance. */
    void (*throw_exception)(WASMModuleInstance *, WamrPyException *);
    /* The exception on its way; NULL: a trap is. */
    WamrPyException *(*thrown_exception)(WASMModuleInstance *);
    /* The exception was caught; kept: code has its exnref now. */
    void (*caught_exception)(WASMModuleInstance *, WamrPyException *, bool kept);
    /* Nothing catches the exception in this activation of the interpreter. */
    void (*uncaught_exception)(WASMModuleInstance *);
    /* The exnref of an exception; 0: there is no room, and a trap is set. */
    uint32 (*exception_ref)(WASMModuleInstance *, WamrPyException *);
    /* The exception of an exnref; NULL: there is none. */
    WamrPyException *(*find_exception)(WASMModuleInstance *, uint32 ref);
    /* While wamrpy_tracing: an instruction, where it is in the module's bytes,
       and where in its function's compiled code. */
    void (*trace)(uint32 function, const uint8 *at, uint32 compiled);
} WamrPyHooks;
extern WamrPyHooks wamrpy;
extern os_thread_local_attribute bool wamrpy_tracing;

/* What is added to the index of a function to make a reference of it. */
#define WAMRPY_BASE(inst) ((inst)->reserved[0])
#define WAMRPY_REF(inst, index) ((index) == UINT32_MAX ? UINT32_MAX : (index) + WAMRPY_BASE(inst))
