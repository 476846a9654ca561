/* sockets.c: WAMR's platform layer: sockets, which no program has.
 *
 * wasi/calls.c refuses every function of WASI that needs a socket, so nothing here is ever called.
 * WAMR's posix.c refers to the functions.
 */
#include "platform_api_extension.h"
#include "platform_api_vmcore.h"

#define REFUSED(name, ...)            \
    int os_socket_##name(__VA_ARGS__) \
    {                                 \
        errno = ENOSYS;               \
        return BHT_ERROR;             \
    }

REFUSED(create, bh_socket_t *sock, bool is_ipv4, bool is_tcp)
REFUSED(bind, bh_socket_t socket, const char *addr, int *port)
REFUSED(settimeout, bh_socket_t socket, uint64 timeout_us)
REFUSED(listen, bh_socket_t socket, int max_client)
REFUSED(accept, bh_socket_t server_sock, bh_socket_t *sock, void *addr, unsigned int *addrlen)
REFUSED(connect, bh_socket_t socket, const char *addr, int port)
REFUSED(recv, bh_socket_t socket, void *buf, unsigned int len)
REFUSED(recv_from, bh_socket_t socket, void *buf, unsigned int len, int flags,
        bh_sockaddr_t *src_addr)
REFUSED(send, bh_socket_t socket, const void *buf, unsigned int len)
REFUSED(send_to, bh_socket_t socket, const void *buf, unsigned int len, int flags,
        const bh_sockaddr_t *dest_addr)
REFUSED(close, bh_socket_t socket)
REFUSED(inet_network, bool is_ipv4, const char *cp, bh_ip_addr_buffer_t *out)
REFUSED(addr_resolve, const char *host, const char *service, uint8_t *hint_is_tcp,
        uint8_t *hint_is_ipv4, bh_addr_info_t *addr_info, size_t addr_info_size,
        size_t *max_info_size)
REFUSED(addr_local, bh_socket_t socket, bh_sockaddr_t *sockaddr)
REFUSED(addr_remote, bh_socket_t socket, bh_sockaddr_t *sockaddr)
REFUSED(set_send_buf_size, bh_socket_t socket, size_t bufsiz)
REFUSED(get_send_buf_size, bh_socket_t socket, size_t *bufsiz)
REFUSED(set_recv_buf_size, bh_socket_t socket, size_t bufsiz)
REFUSED(get_recv_buf_size, bh_socket_t socket, size_t *bufsiz)
REFUSED(set_keep_alive, bh_socket_t socket, bool is_enabled)
REFUSED(get_keep_alive, bh_socket_t socket, bool *is_enabled)
REFUSED(set_send_timeout, bh_socket_t socket, uint64 timeout_us)
REFUSED(get_send_timeout, bh_socket_t socket, uint64 *timeout_us)
REFUSED(set_recv_timeout, bh_socket_t socket, uint64 timeout_us)
REFUSED(get_recv_timeout, bh_socket_t socket, uint64 *timeout_us)
REFUSED(set_reuse_addr, bh_socket_t socket, bool is_enabled)
REFUSED(get_reuse_addr, bh_socket_t socket, bool *is_enabled)
REFUSED(set_reuse_port, bh_socket_t socket, bool is_enabled)
REFUSED(get_reuse_port, bh_socket_t socket, bool *is_enabled)
REFUSED(set_linger, bh_socket_t socket, bool is_enabled, int linger_s)
REFUSED(get_linger, bh_socket_t socket, bool *is_enabled, int *linger_s)
REFUSED(set_tcp_no_delay, bh_socket_t socket, bool is_enabled)
REFUSED(get_tcp_no_delay, bh_socket_t socket, bool *is_enabled)
REFUSED(set_tcp_quick_ack, bh_socket_t socket, bool is_enabled)
REFUSED(get_tcp_quick_ack, bh_socket_t socket, bool *is_enabled)
REFUSED(set_tcp_keep_idle, bh_socket_t socket, uint32_t time_s)
REFUSED(get_tcp_keep_idle, bh_socket_t socket, uint32_t *time_s)
REFUSED(set_tcp_keep_intvl, bh_socket_t socket, uint32_t time_s)
REFUSED(get_tcp_keep_intvl, bh_socket_t socket, uint32_t *time_s)
REFUSED(set_tcp_fastopen_connect, bh_socket_t socket, bool is_enabled)
REFUSED(get_tcp_fastopen_connect, bh_socket_t socket, bool *is_enabled)
REFUSED(set_ip_multicast_loop, bh_socket_t socket, bool ipv6, bool is_enabled)
REFUSED(get_ip_multicast_loop, bh_socket_t socket, bool ipv6, bool *is_enabled)
REFUSED(set_ip_add_membership, bh_socket_t socket, bh_ip_addr_buffer_t *imr_multiaddr,
        uint32_t imr_interface, bool is_ipv6)
REFUSED(set_ip_drop_membership, bh_socket_t socket, bh_ip_addr_buffer_t *imr_multiaddr,
        uint32_t imr_interface, bool is_ipv6)
REFUSED(set_ip_ttl, bh_socket_t socket, uint8_t ttl_s)
REFUSED(get_ip_ttl, bh_socket_t socket, uint8_t *ttl_s)
REFUSED(set_ip_multicast_ttl, bh_socket_t socket, uint8_t ttl_s)
REFUSED(get_ip_multicast_ttl, bh_socket_t socket, uint8_t *ttl_s)
REFUSED(set_ipv6_only, bh_socket_t socket, bool is_enabled)
REFUSED(get_ipv6_only, bh_socket_t socket, bool *is_enabled)
REFUSED(set_broadcast, bh_socket_t socket, bool is_enabled)
REFUSED(get_broadcast, bh_socket_t socket, bool *is_enabled)

__wasi_errno_t
os_socket_shutdown(bh_socket_t socket)
{
    return __WASI_ENOSYS;
}
