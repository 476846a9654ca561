/* host_handle.h: the host's handle of a descriptor of a program.
 *
 * Included by posix.c, at its end: only that file knows what is in a table of descriptors. Our
 * poll_oneoff (wasi/calls.c) waits for the handles itself. */

bool
wamrpy_host_handle(struct fd_table *table, __wasi_fd_t fd, os_file_handle *handle)
{
    struct fd_entry *entry;
    bool found;

    rwlock_rdlock(&table->lock);
    found = fd_table_get_entry(table, fd, 0, 0, &entry) == 0;
    if (found)
        *handle = entry->object->file_handle;
    rwlock_unlock(&table->lock);
    return found;
}
