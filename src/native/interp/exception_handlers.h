/* exception_handlers.h: the exception handlers of a function, one static table.
 *
 * Code that doesn't throw pays nothing: a try block emits no instruction. A
 * throw looks up the place that it leaves in the table of each frame, innermost
 * first.
 *
 * A place is an offset into the function's compiled code, behind the label of
 * an instruction: a call's place is where the call returns to. Offsets stay
 * right when the loader moves the code. An index plus 1 refers to an item of an
 * array; 0 refers to none.
 *
 * Included by wasm.h, in front of WASMFunction. exception_loading.h fills the
 * table in, exception_unwinding.h reads it. */

/* The code that clauses guard: a place is inside if start < place <= end. */
typedef struct WamrPyTryBlock {
    uint32 start, end;
    uint32 parent; /* the try block around this one, plus 1 */
    uint32 outer;  /* where the search goes on, plus 1: parent, except for delegate */
    uint32 clause; /* the first catch clause, plus 1 */
} WamrPyTryBlock;

typedef struct WamrPyCatchClause {
    uint32 next; /* of the same try block, plus 1 */
    uint32 tag;  /* its index; UINT32_MAX: any exception */
    uint32 target;
    int16 slot;     /* where the values go */
    int16 ref_slot; /* where the exnref goes; -1: nowhere */
} WamrPyCatchClause;

/* One allocation, freed with the function. Try blocks are sorted by start. */
typedef struct WamrPyHandlers {
    uint32 try_num, clause_num;
    WamrPyCatchClause *clauses;
    WamrPyTryBlock tries[1];
} WamrPyHandlers;

/* An exception. Our C allocates and frees it (runtime/exceptions.c). */
typedef struct WamrPyException {
    void *tag; /* the identity of its tag */
    uint32 ref;
    uint32 cell_num;
    uint32 *cells;
} WamrPyException;
