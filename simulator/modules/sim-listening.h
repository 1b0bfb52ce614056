/*
 * The host's side of a port the device listens on: a listening socket on loopback, and
 * what connects to it. Called by sim-connections.c; knows nothing of XS.
 */
#ifndef FOTA_SIM_LISTENING_H
#define FOTA_SIM_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

#include "sim-socket.h"

/* A listening socket of the host for the device's `port`: at the place --listen says, at
 * the one of an earlier start, or where the system gives one. Says where. -1: none. */
int sim_listening_open(uint16_t port);
/* The next connection, -1: none waits. */
int sim_listening_accept(int fd);
/* Somebody outside has just done something: see sim_connections_patience_us(). */
void sim_listening_note(void);
/* Real µs since then that virtual time should still not jump over. */
uint64_t sim_listening_patience_us(void);

/* Makes `socket` the connection `fd`. */
void sim_socket_adopt(struct sim_socket *socket, int fd);

#endif
