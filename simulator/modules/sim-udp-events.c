/*
 * The event side of the "embedded:io/socket/udp" stand-in: takes datagrams from the host and calls onReadable, from the
 * event loop alone. A callback that throws aborts the application, as on the chip.
 */
#include "sim-udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "xsmc.h"

#include "chip.h"
#include "clock.h"
#include "sim-socket.h"
#include "sim-udp-record.h"
#include "xs/event-loop.h"

#define PACKETS_MAX 16u /* more are lost, as when the chip has no buffer left */
/* How long an answer from the same machine may take. */
#define ANSWER_US 60000u

static uint64_t asked_real_us;
static uint64_t received_real_us;

void sim_udp_has_asked(void)
{
	asked_real_us = clock_real_us();
}

void sim_udp_drop(struct sim_packet *packet)
{
	free(packet);
}

struct sim_packet *sim_udp_take(struct udp *udp)
{
	struct sim_packet *packet = udp->first;
	if (packet) {
		udp->first = packet->next;
		udp->packet_count--;
		if (udp->told_count > udp->packet_count)
			udp->told_count = udp->packet_count;
	}
	return packet;
}

/* The sender as the device sees it: behind a led port sits the one who was asked. */
static void show_sender(const struct udp *udp, struct sockaddr_in *from)
{
	for (uint32_t i = 0; i < chip->options.udp_lead_count; i++) {
		const struct chip_udp_lead *lead = &chip->options.udp_lead[i];
		if (ntohs(from->sin_port) != lead->host_port)
			continue;
		from->sin_port = htons(lead->port);
		if (udp->asked.s_addr && !IN_MULTICAST(ntohl(udp->asked.s_addr)))
			from->sin_addr = udp->asked;
		return;
	}
}

static void receive(struct udp *udp)
{
	uint8_t bytes[SIM_PACKET_MAX_BYTES];
	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(udp->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size);
		if (length < 0 && errno == ECONNREFUSED)
			continue; /* told of an earlier send */
		if (length < 0)
			return;
		if (udp->packet_count == PACKETS_MAX || sim_network_is_down())
			continue;
		struct sim_packet *packet = malloc(sizeof(*packet) + (size_t)length);
		if (!packet)
			return;
		show_sender(udp, &from);
		*packet = (struct sim_packet){ .from = from, .length = (uint32_t)length };
		memcpy(packet->bytes, bytes, (size_t)length);
		struct sim_packet **link = &udp->first;
		while (*link)
			link = &(*link)->next;
		*link = packet;
		udp->packet_count++;
		chip->network_stats.rx_bytes += (uint64_t)length;
		asked_real_us = 0;
	}
}

static void deliver(struct udp *udp)
{
	xsMachine *the = udp->the;
	udp->told_count = udp->packet_count;
	if (!udp->on_readable)
		return;
	udp->use_count++;
	xsBeginHost(the);
	xsmcVars(1);
	xsVar(0) = xsReference(udp->on_readable);
	xsCallFunction1(xsVar(0), udp->self, xsInteger((xsIntegerValue)udp->packet_count));
	xsEndHost(the);
	event_loop_after_callback(udp->the);
	sim_udp_release(udp);
}

bool sim_udp_run_due(void)
{
	bool has_run = false;
	if (sim_udp_first && clock_may_ask_host(&received_real_us)) {
		for (struct udp *udp = sim_udp_first; udp; udp = udp->next) {
			if (!udp->is_closed)
				receive(udp);
		}
	}
	struct udp *udp = sim_udp_first;
	while (udp) {
		if (udp->is_closed || udp->packet_count <= udp->told_count) {
			udp = udp->next;
			continue;
		}
		deliver(udp);
		has_run = true;
		udp = sim_udp_first;
	}
	return has_run;
}

nfds_t sim_udp_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit)
{
	for (struct udp *udp = sim_udp_first; udp && count < limit; udp = udp->next) {
		if (!udp->is_closed)
			polls[count++] = (struct pollfd){ udp->fd, POLLIN, 0 };
	}
	return count;
}

uint64_t sim_udp_patience_us(void)
{
	uint64_t elapsed = clock_real_us() - asked_real_us;
	return asked_real_us && elapsed < ANSWER_US ? ANSWER_US - elapsed : 0;
}
