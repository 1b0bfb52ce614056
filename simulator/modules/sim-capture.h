/*
 * The record of the talk for --capture: what the application wrote to its
 * connections and what it read from them, in the order it did so. Called by
 * sim-socket.c; knows nothing of time, windows or XS. The format is described in
 * docs/simulator.md.
 */
#ifndef FOTA_SIM_CAPTURE_H
#define FOTA_SIM_CAPTURE_H

#include <stdint.h>

/* The kind of a record, as it stands in the file. */
enum sim_capture_kind {
	SIM_CAPTURE_OPENED = 'o',
	SIM_CAPTURE_WRITTEN = '>',
	SIM_CAPTURE_READ = '<',
	SIM_CAPTURE_CLOSED = 'c',
};

/* Appends one record, at once: power may be gone at the next flash operation. Does
 * nothing without --capture or for connection 0, which is none; ends the run if the
 * file cannot be written. `bytes` may be NULL if length is 0. */
void sim_capture(enum sim_capture_kind kind, uint32_t connection, const uint8_t *bytes, uint32_t length);

#endif
