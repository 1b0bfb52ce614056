/*
 * The part of lwip's sockets that src/native calls; idf-sockets.c has it. Addresses, options
 * and error numbers are the host's own.
 */
#ifndef FOTA_LWIP_SOCKETS_H
#define FOTA_LWIP_SOCKETS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>

int lwip_socket(int domain, int type, int protocol);
int lwip_setsockopt(int s, int level, int optname, const void *optval, socklen_t optlen);
int lwip_ioctl(int s, long cmd, void *argp);
int lwip_connect(int s, const struct sockaddr *name, socklen_t namelen);
int lwip_bind(int s, const struct sockaddr *name, socklen_t namelen);
int lwip_listen(int s, int backlog);
int lwip_accept(int s, struct sockaddr *addr, socklen_t *addrlen);
ssize_t lwip_recv(int s, void *mem, size_t len, int flags);
ssize_t lwip_send(int s, const void *dataptr, size_t size, int flags);
int lwip_close(int s);

static inline int lwip_inet_pton(int af, const char *src, void *dst)
{
	return inet_pton(af, src, dst);
}

#endif
