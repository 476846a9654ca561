/* tags.c: the tags that say what kind of exception one is.
 *
 * A tag is an object of its group. An instance that imports a tag has the exporter's, so the address
 * of the tag is its identity, which the interpreter compares.
 */
#include "runtime/exceptions.h"

static void
free_tag(wpy_object *object)
{
    free(object);
}

const wpy_object_ops wpy_tag_ops = {.free = free_tag};

static wpy_tag *
new_tag(const uint8_t *params, uint32_t count)
{
    wpy_tag *tag = calloc(1, sizeof *tag + count);

    if (tag) {
        tag->param_count = count;
        if (count)
            memcpy(tag->params, params, count);
    }
    return tag;
}

/* A tag of the host's, in a group of its own; a handle. NULL: out of memory. */
wpy_tag *
wpy_tag_new(const uint8_t *params, uint32_t count)
{
    wpy_tag *tag = new_tag(params, count);
    wpy_group *group = tag ? wpy_group_new() : NULL;

    if (!group) {
        free(tag);
        return NULL;
    }
    wpy_group_add(group, &tag->object, &wpy_tag_ops);
    return tag;
}

/* Writes as many value types as there is room for; how many there are. Takes no lock. */
uint32_t
wpy_tag_params(wpy_tag *tag, uint8_t *params, uint32_t room)
{
    uint32_t count = tag->param_count < room ? tag->param_count : room;

    if (count)
        memcpy(params, tag->params, count);
    return tag->param_count;
}

/* Gives the instance its tags: imported ones, and new ones of its own. False: out of memory. */
bool
wpy_link_tags(wpy_instance *instance, WASMModuleInstance *wamr)
{
    uint32_t imported = wamr->module->import_tag_count, count = wamr->e->tag_count, i;

    ASSERT_ENTERED(instance);
    if (!count)
        return true;
    if (!(instance->tags = calloc(count, sizeof *instance->tags)))
        return false;
    instance->tag_count = count;
    for (i = 0; i < count; i++) {
        wpy_tag *tag;

        if (i < imported)
            tag = instance->imports->tags[i];
        else {
            const WASMFuncType *type = wamr->module->tags[i - imported]->tag_type;

            if (!(tag = new_tag(type->types, type->param_count)))
                return false;
            wpy_group_add(instance->object.group, &tag->object, &wpy_tag_ops);
            wpy_release(tag); /* the instance's own handle keeps the group */
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
