/*
 * The chip's clocks beyond what chip.h promises: how virtual time runs. Called by
 * the event loop and the sockets only.
 */
#ifndef FOTA_CLOCK_H
#define FOTA_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* CLOCK_MONOTONIC of the host in microseconds. */
uint64_t clock_real_us(void);

/* True at most once in a fifth of a millisecond of real time, counted from `*asked_us`: asking the host whether something
 * came costs more than all the rest of a virtual wait. */
bool clock_may_ask_host(uint64_t *asked_us);

/* --fast: whether virtual time follows real time (a socket is open) or stands
 * still between events. Without effect in real time. */
void clock_follow_real_time(bool is_following);

/* While it follows, virtual time stops at `us`, where something is due, until the
 * event loop has come there: a busy host must not make the device miss it. */
void clock_stop_at(uint64_t us);

/* --fast: virtual time becomes `us`, if that is later. In real time: sleeps. */
void clock_jump_to(uint64_t us);

/* A power-on sets the wall clock to --epoch. */
void clock_power_on(void);
/* Time.set: Unix time in microseconds. */
void clock_set_wall(int64_t us);

/* Ends the run where virtual time has reached --max-seconds. */
void clock_check_limit(void);

#endif
