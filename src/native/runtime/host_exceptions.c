/* host_exceptions.c: exceptions that host functions throw, and those of them that wasm code
 * catches.
 *
 * A host function that raises a WasmException fails as any other does, with a number under which
 * Python keeps its exception. It has told before which exception in C that is.
 */
#include "include/python_functions.h"
#include "runtime/exception_types.h"

static wpy_host_forget host_forget; /* NULL: wpy_py_forget is called */

void
wpy_host_set_forget(wpy_host_forget forget)
{
    host_forget = forget;
}

void
wpy_forget_raised(int number)
{
    if (!host_forget || !host_forget(number))
        wpy_py_forget(number);
}

void
wpy_exception_throw(wpy_exception *exception, uint64_t store_id, int number)
{
    wpy_self.thrown = exception;
    wpy_self.thrown_store_id = store_id;
    wpy_self.thrown_number = number;
}

/* Merges the exception's group with the instance's; false: the instance has another exception. */
static bool
bring(wpy_instance *instance, wpy_exception *exception)
{
    int status, raised;

    ASSERT_NO_LOCKS();
    while ((status = wpy_group_merge(&instance->object, &exception->heap->object)) == WPY_BUSY)
        if ((raised = wpy_py_signals())) {
            wpy_set_exception(instance->wamr, WPY_HOST, raised, "signal");
            return false;
        }
    if (status == WPY_OK)
        return true;
    wpy_set_exception(instance->wamr, status, 0, "out of memory for exceptions");
    return false;
}

/* Python holds the exception, so the exception isn't freed before the instance points at it. */
void
wpy_throw_raised(wpy_instance *instance, uint64_t store_id, int number)
{
    wpy_exception *exception = wpy_self.thrown;

    wpy_self.thrown = NULL;
    if (!exception || wpy_self.thrown_number != number)
        return;
    if (wpy_self.thrown_store_id != store_id)
        return; /* the call from Python raises the exception, like others that wasm can't catch */
    if (bring(instance, exception))
        instance->exception = exception;
    else
        wpy_forget_raised(number);
}
