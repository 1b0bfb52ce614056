/* UDP sockets as the event loop sees them; sim-udp.c has the module. */
#ifndef FOTA_SIM_UDP_H
#define FOTA_SIM_UDP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Calls onReadable for what has arrived. True if any ran. */
bool sim_udp_run_due(void);
/* Adds the sockets to what is polled; returns the new count, at most `limit`. */
nfds_t sim_udp_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit);
/* Real µs to wait for an answer to what was sent just now before virtual time may jump. */
uint64_t sim_udp_patience_us(void);

#endif
