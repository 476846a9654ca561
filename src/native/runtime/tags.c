/* tags.c: tags, which tell exceptions apart.
 *
 * A tag is an object of its group. An instance that imports a tag shares the exporter's. So the
 * address of a tag is its identity, which the interpreter compares.
 */
#include "runtime/exception_types.h"

static void
free_tag(wpy_object *object)
{
    wpy_budget_release(((wpy_tag *)object)->budget);
    free(object);
}

const wpy_object_ops wpy_tag_ops = {.free = free_tag};

static wpy_tag *
new_tag(const uint8_t *params, uint32_t count, wpy_budget *budget)
{
    wpy_tag *tag = calloc(1, sizeof *tag + count);

    if (tag) {
        tag->budget = wpy_budget_retain(budget);
        tag->param_count = count;
        if (count)
            memcpy(tag->params, params, count);
    }
    return tag;
}

/* Makes a tag in a group of its own; `budget`: the store's. A handle; NULL: out of memory. */
wpy_tag *
wpy_tag_new(const uint8_t *params, uint32_t count, wpy_budget *budget)
{
    wpy_tag *tag = new_tag(params, count, budget);
    wpy_group *group = tag ? wpy_group_new() : NULL;

    if (!group) {
        if (tag)
            free_tag(&tag->object);
        return NULL;
    }
    wpy_group_add(group, &tag->object, &wpy_tag_ops);
    return tag;
}

/* Writes as many value types as there is room for, and returns how many there are. Takes no lock.
 */
uint32_t
wpy_tag_params(wpy_tag *tag, uint8_t *params, uint32_t room)
{
    uint32_t count = tag->param_count < room ? tag->param_count : room;

    if (count)
        memcpy(params, tag->params, count);
    return tag->param_count;
}

bool
wpy_link_tags(wpy_instance *instance, WASMModuleInstance *wamr)
{
    uint32_t imported = wamr->module->import_tag_count, count = wamr->e->tag_count, i;

    ASSERT_ENTERED(instance);
    if (!(instance->tags = calloc(count, sizeof *instance->tags)))
        return false;
    instance->tag_count = count;
    for (i = 0; i < count; i++) {
        wpy_tag *tag;

        if (i < imported)
            tag = instance->imports->tags[i];
        else {
            const WASMFuncType *type = wamr->module->tags[i - imported]->tag_type;

            if (!(tag = new_tag(type->types, type->param_count, wpy_budget_root(instance->budget))))
                return false;
            wpy_group_add(instance->object.group, &tag->object, &wpy_tag_ops);
            wpy_release(tag); /* the handle on the instance keeps the group */
        }
        instance->tags[i] = tag;
        wamr->e->tags[i].identity = tag;
    }
    return true;
}

/* A handle on a tag that the instance exports. */
wpy_tag *
wpy_instance_tag(wpy_instance *instance, uint32_t index)
{
    wpy_tag *tag = instance->tags && index < instance->tag_count ? instance->tags[index] : NULL;

    if (tag)
        wpy_retain(tag);
    return tag;
}
