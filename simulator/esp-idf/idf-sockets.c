/*
 * lwip's sockets under their own names, as far as one port and TCP connections go: a table
 * of descriptors over sim-connections.h. Return values and error numbers are lwip's. A call that
 * would block ends in a panic: nothing would ever wake the only task.
 */
#include "lwip/sockets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "chip.h"
#include "esp_netif.h"
#include "modules/sim-connections.h"
#include "modules/sim-socket.h"

#define SOCKETS_MAX 12 /* CONFIG_LWIP_MAX_SOCKETS */
#define FIRST_DESCRIPTOR (64 - SOCKETS_MAX) /* FD_SETSIZE of the chip's C library */

struct descriptor {
	bool is_used;
	bool is_non_blocking;
	bool has_told_end;
	uint16_t port;
	struct sim_port *listening;
	struct sim_socket *connection;
};

static struct descriptor descriptors[SOCKETS_MAX];

size_t esp_netif_get_nr_of_ifs(void)
{
	return sim_network_has_interface() ? 1 : 0;
}

static int failed(int number)
{
	errno = number;
	return -1;
}

static int would_block(const struct descriptor *descriptor)
{
	if (!descriptor->is_non_blocking) {
		chip_log("cpu", "a socket that blocks would wait for ever");
		abort();
	}
	return failed(EAGAIN);
}

static struct descriptor *find(int s)
{
	int at = s - FIRST_DESCRIPTOR;
	if (at < 0 || at >= SOCKETS_MAX || !descriptors[at].is_used) {
		errno = EBADF;
		return NULL;
	}
	return &descriptors[at];
}

static struct descriptor *find_connection(int s)
{
	struct descriptor *descriptor = find(s);
	if (descriptor && !descriptor->connection) {
		errno = ENOTCONN;
		return NULL;
	}
	if (descriptor)
		descriptor->connection->asked_us = chip_clock_us();
	return descriptor;
}

static int allocate(struct sim_socket *connection)
{
	for (int i = 0; i < SOCKETS_MAX; i++) {
		if (descriptors[i].is_used)
			continue;
		descriptors[i] = (struct descriptor){ .is_used = true, .connection = connection };
		return FIRST_DESCRIPTOR + i;
	}
	return failed(ENFILE);
}

int lwip_socket(int domain, int type, int protocol)
{
	(void)protocol;
	if (esp_netif_get_nr_of_ifs() == 0) {
		chip_log("cpu", "assert failed: tcpip_send_msg_wait_sem (Invalid mbox)");
		abort();
	}
	return domain == AF_INET && type == SOCK_STREAM ? allocate(NULL) : failed(EINVAL);
}

/* A connection that was reset has no control block any more that could be set. */
int lwip_setsockopt(int s, int level, int optname, const void *optval, socklen_t optlen)
{
	struct descriptor *descriptor = find(s);
	(void)optval;
	(void)optlen;
	if (!descriptor)
		return -1;
	if (level == SOL_SOCKET && optname == SO_REUSEADDR)
		return 0;
	if (level != IPPROTO_TCP || optname != TCP_NODELAY)
		return failed(ENOPROTOOPT);
	return descriptor->connection && descriptor->connection->is_reset ? failed(EINVAL) : 0;
}

int lwip_ioctl(int s, long cmd, void *argp)
{
	struct descriptor *descriptor = find(s);
	if (!descriptor)
		return -1;
	if (cmd != FIONBIO)
		return failed(ENOSYS);
	descriptor->is_non_blocking = *(int *)argp != 0;
	return 0;
}

/* Without a network there is no route to anywhere, and that is said at once. */
int lwip_connect(int s, const struct sockaddr *name, socklen_t namelen)
{
	char address[INET_ADDRSTRLEN];
	struct descriptor *descriptor = find(s);
	if (!descriptor)
		return -1;
	const struct sockaddr_in *peer = (const struct sockaddr_in *)(const void *)name;
	if (namelen != sizeof(*peer) || name->sa_family != AF_INET)
		return failed(EINVAL);
	if (descriptor->connection || descriptor->listening)
		return failed(EISCONN);
	if (sim_network_is_down())
		return failed(EHOSTUNREACH);
	inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
	descriptor->connection = sim_connection_open(address, ntohs(peer->sin_port));
	descriptor->connection->asked_us = chip_clock_us();
	would_block(descriptor);
	return failed(EINPROGRESS);
}

int lwip_bind(int s, const struct sockaddr *name, socklen_t namelen)
{
	struct descriptor *descriptor = find(s);
	if (!descriptor)
		return -1;
	if (namelen != sizeof(struct sockaddr_in) || name->sa_family != AF_INET)
		return failed(EINVAL);
	descriptor->port = ntohs(((const struct sockaddr_in *)(const void *)name)->sin_port);
	return 0;
}

/* On the chip a port that is taken is refused by bind already. */
int lwip_listen(int s, int backlog)
{
	struct descriptor *descriptor = find(s);
	if (!descriptor)
		return -1;
	descriptor->listening = sim_port_open(descriptor->port, (uint32_t)backlog);
	return descriptor->listening ? 0 : failed(EADDRINUSE);
}

int lwip_accept(int s, struct sockaddr *addr, socklen_t *addrlen)
{
	struct descriptor *descriptor = find(s);
	(void)addr;
	(void)addrlen;
	if (!descriptor)
		return -1;
	if (!descriptor->listening)
		return failed(EINVAL);
	struct sim_socket *connection = sim_port_take(descriptor->listening);
	if (!connection)
		return would_block(descriptor);
	int accepted = allocate(connection);
	if (accepted < 0) {
		sim_connection_drop(connection);
		return failed(ENFILE);
	}
	return accepted;
}

/* An end is told once as one; afterwards, and after a reset, there is no connection. */
static int receive_end(struct descriptor *descriptor)
{
	const struct sim_socket *connection = descriptor->connection;
	if (!connection->has_ended || chip_clock_us() < connection->end_us)
		return would_block(descriptor);
	if (descriptor->has_told_end)
		return failed(ENOTCONN);
	descriptor->has_told_end = true;
	return connection->is_reset ? failed(ECONNRESET) : 0;
}

ssize_t lwip_recv(int s, void *mem, size_t len, int flags)
{
	struct descriptor *descriptor = find_connection(s);
	(void)flags;
	if (!descriptor)
		return -1;
	sim_socket_pump(descriptor->connection);
	uint32_t available = sim_socket_available(descriptor->connection);
	uint32_t count = len < available ? (uint32_t)len : available;
	if (available == 0)
		return receive_end(descriptor);
	if (count > 0)
		sim_socket_read(descriptor->connection, mem, count);
	return count;
}

ssize_t lwip_send(int s, const void *dataptr, size_t size, int flags)
{
	struct descriptor *descriptor = find_connection(s);
	(void)flags;
	if (!descriptor)
		return -1;
	struct sim_socket *connection = descriptor->connection;
	sim_socket_pump(connection);
	if (connection->is_reset)
		return failed(ENOTCONN);
	if (!connection->is_connected)
		return failed(EINPROGRESS);
	uint32_t room = sim_socket_room(connection);
	uint32_t count = size < room ? (uint32_t)size : room;
	if (room == 0)
		return would_block(descriptor);
	if (!sim_socket_write(connection, dataptr, count)) {
		connection->has_ended = true;
		connection->is_reset = true;
		return failed(ECONNRESET);
	}
	return count;
}

int lwip_close(int s)
{
	struct descriptor *descriptor = find(s);
	if (!descriptor)
		return -1;
	if (descriptor->listening)
		sim_port_close(descriptor->listening);
	if (descriptor->connection)
		sim_connection_drop(descriptor->connection);
	*descriptor = (struct descriptor){ 0 };
	return 0;
}
