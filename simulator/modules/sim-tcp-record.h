/*
 * What the two halves of the TCP stand-in share: sim-tcp.c (what JavaScript calls)
 * and sim-tcp-events.c (what calls JavaScript). Nobody else includes it.
 */
#ifndef FOTA_SIM_TCP_RECORD_H
#define FOTA_SIM_TCP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "xsmc.h"

#include "sim-socket.h"

#define SIM_TCP_SOCKETS_MAX 16u /* MEMP_NUM_TCP_PCB of lwip */

enum { SIM_TCP_READABLE = 1, SIM_TCP_WRITABLE = 2, SIM_TCP_FAILED = 4 };

struct tcp {
	struct tcp *next;
	xsMachine *the;
	xsSlot self;
	xsSlot *on_readable;
	xsSlot *on_writable;
	xsSlot *on_error;
	struct sim_socket *socket; /* uncounted: on the chip it is lwip's */
	uint32_t seen_bytes; /* arrived and already told to the application */
	uint32_t seen_unacknowledged_bytes;
	uint8_t triggered;
	uint8_t format;
	bool is_ready;
	bool has_error;
	bool has_told_end;
	bool is_closed;
	int use_count;
};

/* All sockets that are open, or closed and still in a callback. */
extern struct tcp *sim_tcp_first;

/* One user less; the last one frees it. */
void sim_tcp_release(struct tcp *tcp);

#endif
