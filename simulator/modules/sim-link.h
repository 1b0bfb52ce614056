/*
 * The model of the link's time: when received bytes arrive at the device. Called by
 * sim-socket.c; moves no bytes.
 */
#ifndef FOTA_SIM_LINK_H
#define FOTA_SIM_LINK_H

#include "sim-socket.h"

/* When the next `length` bytes have arrived whole; now, while there is no model. */
uint64_t sim_link_arrival(struct sim_socket *socket, uint32_t length);

/* The application has read `length` more bytes: the window opens by them. */
void sim_link_consumed(struct sim_socket *socket, uint32_t length);

#endif
