/*
 * What xs/host.c offers to the rest of the simulator about the machine it hosts.
 */
#ifndef FOTA_HOST_H
#define FOTA_HOST_H

#include <stdint.h>

#define HOST_STACK_PAINT 0xA5

struct sxMachine;

/* Unix time of the simulated chip in microseconds (clock.c). */
int64_t host_wall_us(void);

/* The most stack slots ever in use, the machine's own intrinsics included. */
unsigned host_stack_peak_slots(void);

/* Runs the promise jobs queued by the last callback, until none is left. */
void host_run_jobs(struct sxMachine *the);

#endif
