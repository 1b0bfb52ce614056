/*
 * What the two halves of the UDP stand-in share: sim-udp.c (what JavaScript calls) and sim-udp-events.c (what calls
 * JavaScript, and the datagrams, which are lwip's on a chip and not counted). Nobody else includes it.
 */
#ifndef FOTA_SIM_UDP_RECORD_H
#define FOTA_SIM_UDP_RECORD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "xsmc.h"

#define SIM_PACKET_MAX_BYTES 1472u

struct sim_packet {
	struct sim_packet *next;
	struct sockaddr_in from;
	uint32_t length;
	uint8_t bytes[];
};

struct udp {
	struct udp *next;
	xsMachine *the;
	xsSlot self;
	xsSlot *on_readable;
	struct sim_packet *first;
	uint32_t packet_count;
	uint32_t told_count;
	int fd;
	struct in_addr asked; /* to whom the last datagram led elsewhere was addressed */
	bool is_closed;
	int use_count;
};

/* All sockets that are open, or closed and still in a callback. */
extern struct udp *sim_udp_first;

/* One user less; the last one frees it. */
void sim_udp_release(struct udp *udp);

/* The oldest datagram, taken out of the socket; NULL: none. */
struct sim_packet *sim_udp_take(struct udp *udp);
void sim_udp_drop(struct sim_packet *packet);

/* An answer may come soon. */
void sim_udp_has_asked(void);

#endif
