/* See sim-link.h. */
#include "sim-link.h"

#include <string.h>

#include "chip.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When the application had read the byte with number `needed`. */
static uint64_t consumed_at(struct sim_socket *socket, uint64_t needed)
{
	uint32_t i = 0;
	while (i < socket->consumption_count && socket->consumption[i].total_bytes < needed)
		i++;
	uint64_t time_us = i < socket->consumption_count ? socket->consumption[i].time_us : chip_clock_us();
	if (i > 0) { /* older ones are never asked for again */
		socket->consumption_count -= i;
		memmove(socket->consumption, socket->consumption + i,
			socket->consumption_count * sizeof(socket->consumption[0]));
	}
	return time_us;
}

/* The model: arrival(k) = max(arrival(k-1) + 1/rate, send + RTT, read(k-window) + RTT). */
uint64_t sim_link_arrival(struct sim_socket *socket, uint32_t length)
{
	if (!sim_link_is_modelled())
		return chip_clock_us();
	uint64_t start = later(socket->last_arrival_us, socket->not_before_us);
	uint64_t end_byte = socket->received_bytes + length;
	if (end_byte > chip->options.tcp_window_bytes) {
		uint64_t needed = end_byte - chip->options.tcp_window_bytes;
		start = later(start, consumed_at(socket, needed) + chip->options.link_rtt_us);
	}
	if (chip->options.link_rate)
		start += (uint64_t)length * 1000000u / chip->options.link_rate;
	return start;
}

void sim_link_consumed(struct sim_socket *socket, uint32_t length)
{
	uint64_t now = chip_clock_us();
	socket->consumed_bytes += length;
	struct sim_consumption *last = socket->consumption_count
		? &socket->consumption[socket->consumption_count - 1] : NULL;
	if (!last || (last->time_us != now && socket->consumption_count < SIM_CONSUMPTIONS))
		last = &socket->consumption[socket->consumption_count++];
	last->total_bytes = socket->consumed_bytes;
	last->time_us = now;
}
