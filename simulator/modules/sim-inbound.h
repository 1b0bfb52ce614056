/*
 * Ports the device listens on and the connections others open to it, as the chip's network
 * stack keeps them: they arrive, and end, whether the application looks or not. Called by
 * idf-sockets.c and by the event loop; knows nothing of XS.
 */
#ifndef FOTA_SIM_INBOUND_H
#define FOTA_SIM_INBOUND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim-socket.h"

struct sim_inbound_port;

/* NULL: the port is taken, here or on the host. At most `backlog` connections wait. */
struct sim_inbound_port *sim_inbound_open(uint16_t port, uint32_t backlog);
/* Connections that wait are reset; those that were taken stay. */
void sim_inbound_close(struct sim_inbound_port *port);
/* The next connection, which may be gone already; NULL: none waits. */
struct sim_socket *sim_inbound_take(struct sim_inbound_port *port);
/* Closes a connection that was taken; what was not read resets it. */
void sim_inbound_drop(struct sim_socket *socket);

/* Lets connections and bytes come in, and takes them away where the network is lost. */
void sim_inbound_run(void);
/* A connection is there and the network is up: the world outside may act. */
bool sim_inbound_is_waiting(void);
/* Real µs to wait for peers before virtual time may jump to `next_us`; 0: none. */
uint64_t sim_inbound_expects_for(uint64_t next_us, uint64_t silence_us);
/* Adds what is open to what is polled; returns the new count, at most `limit`. */
nfds_t sim_inbound_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit);
/* Real µs during which virtual time must not jump: a connection has just come or gone. */
uint64_t sim_inbound_patience_us(void);

#endif
