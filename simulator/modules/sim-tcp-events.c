/*
 * The event side of the "embedded:io/socket/tcp" stand-in: notices what happened at
 * the sockets and calls onReadable, onWritable and onError, from the event loop
 * alone. A callback that throws aborts the application, as on the chip.
 */
#include "sim-tcp.h"

#include <poll.h>
#include <time.h>

#include "xsmc.h"

#include "chip.h"
#include "sim-inbound.h"
#include "sim-tcp-record.h"
#include "sim-udp.h"
#include "xs/event-loop.h"

static bool was_down;

static void notice(struct tcp *tcp)
{
	struct sim_socket *socket = tcp->socket;
	sim_socket_pump(socket);
	if (socket->is_connected && !tcp->is_ready && !tcp->has_error) {
		tcp->is_ready = true;
		tcp->triggered |= SIM_TCP_WRITABLE;
	}
	uint32_t available = sim_socket_available(socket);
	if (available > tcp->seen_bytes)
		tcp->triggered |= SIM_TCP_READABLE;
	tcp->seen_bytes = available;
	if (socket->unacknowledged_bytes < tcp->seen_unacknowledged_bytes)
		tcp->triggered |= SIM_TCP_WRITABLE;
	tcp->seen_unacknowledged_bytes = socket->unacknowledged_bytes;
	if (socket->has_ended && chip_clock_us() >= socket->end_us && !tcp->has_told_end) {
		tcp->has_told_end = true;
		tcp->triggered |= SIM_TCP_FAILED;
	}
}

static void call(struct tcp *tcp, xsSlot *callback, int32_t argument)
{
	xsMachine *the = tcp->the;
	if (!callback || tcp->is_closed)
		return;
	xsBeginHost(the);
	xsmcVars(1);
	xsVar(0) = xsReference(callback);
	if (argument >= 0)
		xsCallFunction1(xsVar(0), tcp->self, xsInteger(argument));
	else
		xsCallFunction0(xsVar(0), tcp->self);
	xsEndHost(the);
	event_loop_after_callback(the);
}

static void deliver(struct tcp *tcp)
{
	uint8_t triggered = tcp->triggered;
	tcp->triggered = 0;
	tcp->use_count++;
	if (triggered & SIM_TCP_FAILED) {
		tcp->has_error = true;
		tcp->is_ready = false;
	}
	if (triggered & SIM_TCP_READABLE)
		call(tcp, tcp->on_readable, (int32_t)sim_socket_available(tcp->socket));
	if (tcp->has_error) {
		/* The error waits until everything received has been read. */
		if ((triggered & SIM_TCP_FAILED) && sim_socket_available(tcp->socket) == 0) {
			tcp->triggered &= (uint8_t)~SIM_TCP_FAILED;
			call(tcp, tcp->on_error, -1);
		}
	} else if (triggered & SIM_TCP_WRITABLE) {
		call(tcp, tcp->on_writable, (int32_t)sim_socket_room(tcp->socket));
	}
	sim_tcp_release(tcp);
}

static void notice_outage(void)
{
	bool is_down = sim_network_is_down();
	if (is_down && !was_down && (chip->options.network_loss_resets || sim_network_lacks_wifi())) {
		for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next) {
			if (tcp->is_closed)
				continue;
			sim_socket_close(tcp->socket, true);
			tcp->socket->has_ended = true;
			tcp->socket->end_us = 0;
		}
	}
	was_down = is_down;
}

bool sim_tcp_run_due(void)
{
	bool has_run = false;
	notice_outage();
	for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next) {
		if (!tcp->is_closed)
			notice(tcp);
	}
	struct tcp *tcp = sim_tcp_first;
	while (tcp) {
		if (tcp->triggered == 0) {
			tcp = tcp->next;
			continue;
		}
		deliver(tcp);
		has_run = true;
		tcp = sim_tcp_first;
	}
	return has_run;
}

uint64_t sim_tcp_next_us(void)
{
	uint64_t next = EVENT_LOOP_NEVER;
	for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next) {
		uint64_t due = !tcp->is_closed ? sim_socket_next_us(tcp->socket) : EVENT_LOOP_NEVER;
		next = due < next ? due : next;
	}
	return next;
}

bool sim_tcp_is_waiting(void)
{
	bool has_open = false;
	for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next)
		has_open |= !tcp->is_closed && !tcp->socket->has_ended;
	return has_open && !sim_network_is_down();
}

bool sim_tcp_is_modelled(void)
{
	return sim_link_is_modelled();
}

uint64_t sim_tcp_expects_for(uint64_t next_us, uint64_t silence_us, uint64_t silence_awaiting_us)
{
	uint64_t longest = 0;
	for (struct tcp *tcp = sim_tcp_first; tcp; tcp = tcp->next) {
		uint64_t patience = !tcp->is_closed
			? sim_socket_patience(tcp->socket, next_us, silence_us, silence_awaiting_us) : 0;
		longest = patience > longest ? patience : longest;
	}
	return longest;
}

void sim_tcp_poll(uint64_t real_us)
{
	struct pollfd poll_fds[2 * SIM_TCP_SOCKETS_MAX];
	nfds_t count = 0;
	for (struct tcp *tcp = sim_tcp_first; tcp && count < SIM_TCP_SOCKETS_MAX; tcp = tcp->next) {
		if (!sim_link_is_modelled() && tcp->socket->unacknowledged_bytes && real_us > 1000)
			real_us = 1000; /* acknowledgements cannot be polled for */
		short events = sim_socket_poll_events(tcp->socket);
		if (events)
			poll_fds[count++] = (struct pollfd){ tcp->socket->fd, events, 0 };
	}
	count = sim_inbound_add_polls(poll_fds, count, sizeof(poll_fds) / sizeof(poll_fds[0]));
	count = sim_udp_add_polls(poll_fds, count, sizeof(poll_fds) / sizeof(poll_fds[0]));
	struct timespec timeout = { (time_t)(real_us / 1000000u), (long)(real_us % 1000000u) * 1000 };
	ppoll(poll_fds, count, &timeout, NULL);
}
