/* See sim-listening.h. */
#include "sim-listening.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chip.h"
#include "clock.h"
#include "sim-capture.h"

#define BACKLOG 8
/* Whoever has asked something may ask again within that real time, also on a machine that is busy. */
#define PATIENCE_US 2000000u

static uint64_t noted_real_us;

/* Where `port` is on the host: kept over resets, so that whoever knows it finds the
 * device again. */
static struct chip_tcp_lead *lead_of(uint16_t port)
{
	for (uint32_t i = 0; i < chip->tcp_lead_count; i++) {
		if (chip->tcp_lead[i].port == port)
			return &chip->tcp_lead[i];
	}
	if (chip->tcp_lead_count == CHIP_TCP_LEADS_MAX)
		return NULL;
	struct chip_tcp_lead *lead = &chip->tcp_lead[chip->tcp_lead_count++];
	*lead = (struct chip_tcp_lead){ port, 0 };
	return lead;
}

int sim_listening_open(uint16_t port)
{
	struct chip_tcp_lead *lead = lead_of(port);
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(own);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	own.sin_port = htons(lead ? lead->host_port : 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) || listen(fd, BACKLOG)
		|| getsockname(fd, (struct sockaddr *)&own, &size)) {
		close(fd);
		return -1;
	}
	if (lead)
		lead->host_port = ntohs(own.sin_port);
	chip_printf("sim: tcp %u is 127.0.0.1:%u\n", port, ntohs(own.sin_port));
	return fd;
}

int sim_listening_accept(int fd)
{
	int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (connection >= 0)
		sim_listening_note();
	return connection;
}

void sim_listening_note(void)
{
	noted_real_us = clock_real_us();
}

uint64_t sim_listening_patience_us(void)
{
	uint64_t elapsed = clock_real_us() - noted_real_us;
	return noted_real_us && elapsed < PATIENCE_US ? PATIENCE_US - elapsed : 0;
}

void sim_socket_adopt(struct sim_socket *socket, int fd)
{
	int on = 1;
	memset(socket, 0, sizeof(*socket));
	socket->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	socket->number = (uint32_t)++chip->network_stats.connect_count;
	sim_capture(SIM_CAPTURE_OPENED, socket->number, NULL, 0);
	socket->real_activity_us = clock_real_us();
	socket->has_handshake = true;
	socket->is_connected = true;
	socket->is_inbound = true;
	socket->not_before_us = chip_clock_us();
}
