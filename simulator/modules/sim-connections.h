/*
 * TCP connections as the chip's network stack keeps them, those of the device and, at the
 * ports it listens on, those of others: they come, move and end, whether the application
 * looks or not. Called by idf-sockets.c and by the event loop; knows nothing of XS.
 */
#ifndef FOTA_SIM_CONNECTIONS_H
#define FOTA_SIM_CONNECTIONS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim-socket.h"

struct sim_port;

/* NULL: the port is taken, here or on the host. At most `backlog` connections wait. */
struct sim_port *sim_port_open(uint16_t port, uint32_t backlog);
/* Connections that wait are reset; those that were taken stay. */
void sim_port_close(struct sim_port *port);
/* The next connection, which may be gone already; NULL: none waits. */
struct sim_socket *sim_port_take(struct sim_port *port);

/* One to `address`, in digits, that may stand later. */
struct sim_socket *sim_connection_open(const char *address, uint16_t port);
/* Closes a connection that was opened or taken; what was not read resets it. */
void sim_connection_drop(struct sim_socket *socket);

/* Lets connections and bytes come in, and takes them away where the network is lost. */
void sim_connections_run(void);
/* A connection is there and the network is up: the world outside may act. */
bool sim_connections_are_waiting(void);
/* Real µs to wait for peers before virtual time may jump to `next_us`; 0: none. */
uint64_t sim_connections_expect_for(uint64_t next_us);
/* Each connection of the device's that is looked at has something to say at `next_us`, and nobody
 * else is there: for the world outside it does not matter when that is. */
bool sim_connections_have_news(uint64_t next_us);
/* Adds what is open to what is polled; returns the new count, at most `limit`. */
nfds_t sim_connections_add_polls(struct pollfd *polls, nfds_t count, nfds_t limit);
/* Real µs during which virtual time must not jump: a connection of another has just come or gone. */
uint64_t sim_connections_patience_us(void);

#endif
