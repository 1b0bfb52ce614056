/* Listeners as the event loop sees them; sim-listener.c has the module. */
#ifndef FOTA_SIM_LISTENER_H
#define FOTA_SIM_LISTENER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Calls onReadable for connections that have come. True if any ran. */
bool sim_listener_run_due(void);
/* Adds the listeners to what is polled; returns the new count, at most `limit`. */
nfds_t sim_listener_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit);
/* Real µs during which virtual time must not jump: a connection has just come or gone. */
uint64_t sim_listener_patience_us(void);

#endif
