/*
 * See sim-socket.h. Non-blocking throughout. Bytes are taken from the host only
 * while the window has room; their modelled arrival is computed when they are taken.
 */
#include "sim-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chip.h"
#include "clock.h"
#include "sim-capture.h"
#include "sim-link.h"
#include "sim-listening.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct sim_socket *sim_socket_new(void)
{
	struct sim_socket *socket = calloc(1, sizeof(*socket));
	if (!socket)
		abort();
	socket->fd = -1;
	return socket;
}

void sim_socket_free(struct sim_socket *socket)
{
	free(socket);
}

static void end(struct sim_socket *socket, bool is_reset)
{
	socket->has_ended = true;
	socket->is_reset = is_reset;
	socket->is_connecting = false;
	socket->end_us = later(chip_clock_us(), socket->last_arrival_us);
}

bool sim_socket_open(struct sim_socket *socket_, const char *address, uint16_t port)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port) };
	memset(socket_, 0, sizeof(*socket_));
	socket_->fd = -1;
	if (inet_pton(AF_INET, address, &peer.sin_addr) != 1)
		return false;
	socket_->number = (uint32_t)++chip->network_stats.connect_count;
	sim_capture(SIM_CAPTURE_OPENED, socket_->number, NULL, 0);
	socket_->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socket_->real_activity_us = clock_real_us();
	socket_->is_connecting = true;
	socket_->is_awaiting = true;
	socket_->ready_us = chip_clock_us() + chip->options.link_rtt_us;
	if (socket_->fd < 0) {
		end(socket_, true);
		return true;
	}
	int on = 1;
	setsockopt(socket_->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(socket_->fd, (struct sockaddr *)&peer, sizeof(peer)) == 0)
		return true;
	if (errno != EINPROGRESS)
		end(socket_, true);
	return true;
}

void sim_socket_close(struct sim_socket *socket, bool is_reset)
{
	if (socket->fd >= 0) {
		struct linger linger = { 1, 0 };
		if (is_reset)
			setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(socket->fd);
		if (socket->is_inbound)
			sim_listening_note();
	}
	socket->fd = -1;
	sim_capture(SIM_CAPTURE_CLOSED, socket->number, NULL, 0);
	socket->number = 0;
	while (socket->first) {
		struct sim_segment *segment = socket->first;
		socket->first = segment->next;
		free(segment);
	}
	socket->last = NULL;
	socket->held_bytes = 0;
}

static void pump_connect(struct sim_socket *socket)
{
	struct pollfd poll_fd = { socket->fd, POLLOUT, 0 };
	if (socket->has_handshake || poll(&poll_fd, 1, 0) <= 0)
		return;
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
		end(socket, true);
	else
		socket->has_handshake = true;
	socket->real_activity_us = clock_real_us();
}

static void append(struct sim_socket *socket, const uint8_t *bytes, uint32_t length)
{
	struct sim_segment *segment = malloc(sizeof(*segment) + length);
	if (!segment)
		abort();
	segment->next = NULL;
	segment->length = length;
	segment->offset = 0;
	segment->arrival_us = sim_link_arrival(socket, length);
	memcpy(segment->bytes, bytes, length);
	*(socket->last ? &socket->last->next : &socket->first) = segment;
	socket->last = segment;
	socket->last_arrival_us = segment->arrival_us;
	socket->received_bytes += length;
	socket->held_bytes += length;
	socket->is_awaiting = false;
	socket->real_activity_us = clock_real_us();
	chip->network_stats.rx_bytes += length;
	if (socket->held_bytes > chip->network_stats.held_peak_bytes)
		chip->network_stats.held_peak_bytes = socket->held_bytes;
}

static uint32_t window_room(const struct sim_socket *socket)
{
	uint64_t window = chip->options.tcp_window_bytes;
	return socket->held_bytes < window ? (uint32_t)(window - socket->held_bytes) : 0;
}

static void pump_receive(struct sim_socket *socket)
{
	uint8_t bytes[SIM_SEGMENT_BYTES];
	while (!socket->has_ended && window_room(socket) > 0) {
		uint32_t room = window_room(socket);
		size_t wanted = room < sizeof(bytes) ? room : sizeof(bytes);
		ssize_t count = recv(socket->fd, bytes, wanted, 0);
		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (count > 0)
			append(socket, bytes, (uint32_t)count);
		else
			end(socket, count < 0);
	}
}

static void pump_acknowledged(struct sim_socket *socket)
{
	if (socket->unacknowledged_bytes == 0)
		return;
	if (sim_link_is_modelled()) {
		if (chip_clock_us() >= socket->acknowledged_us)
			socket->unacknowledged_bytes = 0;
		return;
	}
	int queued = 0;
	if (ioctl(socket->fd, SIOCOUTQ, &queued) == 0 && queued < (int)socket->unacknowledged_bytes)
		socket->unacknowledged_bytes = queued > 0 ? (uint32_t)queued : 0;
}

void sim_socket_pump(struct sim_socket *socket)
{
	if (socket->fd < 0 || sim_network_is_down())
		return;
	if (socket->is_connecting && !socket->has_ended)
		pump_connect(socket);
	if (socket->is_connecting && socket->has_handshake && chip_clock_us() >= socket->ready_us) {
		socket->is_connecting = false;
		socket->is_connected = true;
	}
	if (socket->is_connected) {
		pump_receive(socket);
		pump_acknowledged(socket);
	}
}

uint32_t sim_socket_available(const struct sim_socket *socket)
{
	uint32_t available = 0;
	uint64_t now = chip_clock_us();
	for (const struct sim_segment *segment = socket->first; segment; segment = segment->next) {
		if (segment->arrival_us > now)
			break;
		available += segment->length - segment->offset;
	}
	return available;
}

void sim_socket_read(struct sim_socket *socket, uint8_t *bytes, uint32_t length)
{
	sim_link_consumed(socket, length);
	socket->held_bytes -= length;
	for (uint32_t taken = 0; taken < length;) {
		struct sim_segment *segment = socket->first;
		uint32_t part = segment->length - segment->offset;
		part = part < length - taken ? part : length - taken;
		memcpy(bytes + taken, segment->bytes + segment->offset, part);
		segment->offset += part;
		taken += part;
		if (segment->offset < segment->length)
			continue;
		socket->first = segment->next;
		if (!socket->first)
			socket->last = NULL;
		free(segment);
	}
	sim_capture(SIM_CAPTURE_READ, socket->number, bytes, length);
}

uint32_t sim_socket_room(const struct sim_socket *socket)
{
	return socket->unacknowledged_bytes < SIM_SEND_BYTES
		? SIM_SEND_BYTES - socket->unacknowledged_bytes : 0;
}

bool sim_socket_write(struct sim_socket *socket, const uint8_t *bytes, uint32_t length)
{
	if (length == 0)
		return true;
	uint64_t now = chip_clock_us();
	socket->real_activity_us = clock_real_us();
	socket->is_awaiting = true;
	socket->not_before_us = now + chip->options.link_rtt_us;
	socket->acknowledged_us = socket->not_before_us;
	socket->unacknowledged_bytes += length;
	bool is_lost = sim_network_is_down(); /* the peer never sees it */
	if (!is_lost && send(socket->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
		return false;
	sim_capture(SIM_CAPTURE_WRITTEN, socket->number, bytes, length);
	chip->network_stats.tx_bytes += is_lost ? 0 : length;
	return true;
}

short sim_socket_poll_events(const struct sim_socket *socket)
{
	if (socket->fd < 0 || socket->has_ended || sim_network_is_down())
		return 0;
	if (socket->is_connecting)
		return socket->has_handshake ? 0 : POLLOUT;
	return window_room(socket) ? POLLIN : 0;
}

uint64_t sim_socket_patience(const struct sim_socket *socket, uint64_t next_us, uint64_t silence_us)
{
	if (sim_socket_poll_events(socket) == 0)
		return 0;
	if (socket->last && socket->last->arrival_us > chip_clock_us())
		return 0; /* what is known to arrive comes before what is not known */
	uint64_t earliest = later(socket->last_arrival_us, socket->not_before_us);
	if (next_us <= earliest)
		return 0;
	uint64_t elapsed = clock_real_us() - socket->real_activity_us;
	return elapsed < silence_us ? silence_us - elapsed : 0;
}
