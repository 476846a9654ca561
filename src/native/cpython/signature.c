/* signature.c: Signature, what all functions of one type share in calls (function.c). */
#include "cpython/signature.h"
#include "cpython/values.h"

#include <stdlib.h>
#include <string.h>

PyTypeObject *wpy_signature_type;

static bool
has(uint8_t kind, const uint8_t *kinds, uint32_t count)
{
    return memchr(kinds, kind, count) != NULL;
}

/* Signature(type, kinds, result_kinds, cells, doc) */
static PyObject *
signature_new(PyTypeObject *class, PyObject *args, PyObject *kwargs)
{
    PyObject *type, *param_kinds, *result_kinds;
    char *kinds, *results;
    const char *doc;
    Py_ssize_t param_count, result_count;
    unsigned int cells;
    Signature *self;
    size_t room;

    if (kwargs && PyDict_Size(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "Signature takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OSSIs:Signature", &type, &param_kinds, &result_kinds, &cells,
                          &doc) ||
        PyBytes_AsStringAndSize(param_kinds, &kinds, &param_count) ||
        PyBytes_AsStringAndSize(result_kinds, &results, &result_count))
        return NULL;
    if (!(self = (Signature *)((allocfunc)PyType_GetSlot(class, Py_tp_alloc))(class, 0)))
        return NULL;
    room = strlen(doc) + 1;
    if (!(self->doc = malloc(room + (size_t)(param_count + result_count)))) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    memcpy(self->doc, doc, room);
    self->kinds = (uint8_t *)self->doc + room;
    self->results = self->kinds + param_count;
    memcpy((uint8_t *)self->kinds, kinds, (size_t)param_count);
    memcpy((uint8_t *)self->results, results, (size_t)result_count);
    self->param_count = (uint32_t)param_count;
    self->result_count = (uint32_t)result_count;
    self->cells = cells;
    self->direct = !has(FUNCREF, self->kinds, (uint32_t)(param_count + result_count)) &&
                   !has(EXNREF, self->kinds, (uint32_t)(param_count + result_count));
    self->externrefs = has(EXTERNREF, self->kinds, (uint32_t)(param_count + result_count));
    Py_INCREF(type);
    self->type = type;
    return (PyObject *)self;
}

static void
signature_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    free(((Signature *)self)->doc);
    Py_XDECREF(((Signature *)self)->type);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* A FuncType holds its Signature through its Codec, so the collector must see this part of the
 * cycle. It can break the cycle in the FuncType or the Codec. A Signature is never cleared, so
 * callers may rely on `type`. */
static int
signature_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Signature *)self)->type);
    return 0;
}

static PyType_Slot signature_slots[] = {
    {Py_tp_new, signature_new},
    {Py_tp_dealloc, signature_dealloc},
    {Py_tp_traverse, signature_traverse},
    {Py_tp_doc, "What all functions of one type share in calls."},
    {0, NULL},
};

static PyType_Spec signature_spec = {
    .name = "wamr._wamr.Signature",
    .basicsize = sizeof(Signature),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = signature_slots,
};

int
wpy_add_signature(PyObject *module)
{
    return (wpy_signature_type = wpy_add_type(module, &signature_spec)) ? 0 : -1;
}
