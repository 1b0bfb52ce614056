/*
 * The event loop of the application's task, as Moddable's main.c has it: due
 * timers, then socket events, then wait for whatever comes first. It decides how
 * virtual time passes while waiting; what an event means is the modules' affair.
 */
#include "event-loop.h"

#include "../chip.h"
#include "../clock.h"
#include "../modules/sim-inbound.h"
#include "../modules/sim-tcp.h"
#include "../modules/sim-timer.h"
#include "../modules/sim-udp.h"
#include "host.h"
#include "memory-marks.h"

/* The longest wait without a sign of life to the watchdog, in real time. */
#define WAIT_MAX_US 200000u

/* Under the link model real silence must last that long before virtual time may
 * jump: a short step costs little if it was wrong, a long one could be a time-out. */
#define SHORT_STEP_US 2000000u
#define SHORT_SILENCE_US 60000u
#define LONG_SILENCE_US 5000000u

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void event_loop_after_callback(void *the)
{
	host_run_jobs(the);
	memory_marks_turn(the);
	chip->heartbeat++;
}

/* The next edge of --network-down after `now`, when sockets must be looked at. */
static uint64_t next_outage_edge(uint64_t now)
{
	uint64_t next = EVENT_LOOP_NEVER;
	for (uint32_t i = 0; i < chip->options.outage_count; i++) {
		const struct chip_outage *outage = &chip->options.outage[i];
		if (outage->from_us > now)
			next = earlier(next, outage->from_us);
		if (outage->to_us > now)
			next = earlier(next, outage->to_us);
	}
	return next;
}

static uint64_t limited(uint64_t real_us)
{
	return earlier(real_us, WAIT_MAX_US);
}

/* Virtual time does not follow real time; a jump must not overtake bytes that the
 * peer is about to send. */
static void wait_modelled(uint64_t next)
{
	uint64_t now = chip_clock_us();
	if (next <= now)
		return;
	uint64_t silence = next - now <= SHORT_STEP_US ? SHORT_SILENCE_US : LONG_SILENCE_US;
	uint64_t patience = sim_tcp_expects_for(next, silence, LONG_SILENCE_US);
	/* What listens is looked at by a timer: that the next step is short says nothing of the peer. */
	uint64_t patience_inbound = sim_inbound_expects_for(next, LONG_SILENCE_US);
	if (patience < patience_inbound)
		patience = patience_inbound;
	if (patience < sim_inbound_patience_us())
		patience = sim_inbound_patience_us();
	if (patience > 0)
		sim_tcp_poll(limited(patience));
	else if (next != EVENT_LOOP_NEVER)
		clock_jump_to(next);
	else
		sim_tcp_poll(WAIT_MAX_US);
}

static void wait_for_event(void)
{
	uint64_t now = chip_clock_us();
	uint64_t next = earlier(sim_timer_next_us(), sim_tcp_next_us());
	bool has_sockets = sim_tcp_is_waiting() || sim_inbound_is_waiting() || sim_inbound_patience_us() > 0;
	next = earlier(next, next_outage_edge(now));
	if (chip->options.max_us)
		next = earlier(next, chip->options.max_us);
	if (chip->options.fast && has_sockets && sim_tcp_is_modelled()) {
		wait_modelled(next);
		return;
	}
	clock_follow_real_time(has_sockets);
	clock_stop_at(next);
	if (next <= now)
		return;
	if (has_sockets)
		sim_tcp_poll(limited(next - now));
	else if (chip->options.fast && sim_udp_patience_us() > 0)
		sim_tcp_poll(sim_udp_patience_us());
	else if (chip->options.fast && next != EVENT_LOOP_NEVER)
		clock_jump_to(next);
	else
		sim_tcp_poll(limited(next - now));
}

_Noreturn void event_loop_run(void *the)
{
	event_loop_after_callback(the);
	for (;;) {
		chip->heartbeat++;
		clock_check_limit();
		bool has_run = sim_timer_run_due();
		sim_inbound_run();
		has_run |= sim_tcp_run_due();
		has_run |= sim_udp_run_due();
		if (!has_run)
			wait_for_event();
	}
}
