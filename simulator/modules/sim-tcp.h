/* TCP sockets as the event loop sees them; sim-tcp-events.c. */
#ifndef FOTA_SIM_TCP_H
#define FOTA_SIM_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* Calls the callbacks of what has happened. True if any ran. */
bool sim_tcp_run_due(void);
/* When a socket is due next (virtual µs), EVENT_LOOP_NEVER if none is. */
uint64_t sim_tcp_next_us(void);
/* A socket is open and the network is up: the world outside may act. */
bool sim_tcp_is_waiting(void);
/* The link model is on. */
bool sim_tcp_is_modelled(void);
/* Real µs to wait for peers before virtual time may jump to `next_us`; 0: none. */
uint64_t sim_tcp_expects_for(uint64_t next_us, uint64_t silence_us, uint64_t silence_awaiting_us);
/* Waits in real time for the host's sockets, at most `real_us`. */
void sim_tcp_poll(uint64_t real_us);

#endif
