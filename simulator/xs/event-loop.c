/*
 * The event loop of the application's task, as Moddable's main.c has it: due
 * timers, then socket events, then wait for whatever comes first. It decides how
 * virtual time passes while waiting; what an event means is the modules' affair.
 */
#include "event-loop.h"

#include <time.h>

#include "../chip.h"
#include "../clock.h"
#include "../esp-idf/idf-names.h"
#include "../modules/sim-connections.h"
#include "../modules/sim-timer.h"
#include "../modules/sim-udp.h"
#include "host.h"
#include "memory-marks.h"

/* The longest wait without a sign of life to the watchdog, in real time. */
#define WAIT_MAX_US 200000u

#define POLLS_MAX 32u
/* Of what a busy host slept too long, so much is made up for. */
#define OVERSLEPT_MAX_US 250000u

/* Real time spent waiting that virtual time, stopped at what was due, has not followed. */
static uint64_t overslept_us;

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

/* Waits in real time for the host's sockets, at most `real_us`. */
static void wait_for_host(uint64_t real_us)
{
	struct pollfd polls[POLLS_MAX];
	struct timespec timeout = { (time_t)(real_us / 1000000u), (long)(real_us % 1000000u) * 1000 };
	nfds_t count = sim_connections_add_polls(polls, 0, POLLS_MAX);
	count = sim_udp_add_polls(polls, count, POLLS_MAX);
	ppoll(polls, count, &timeout, NULL);
}

/* Virtual time does not follow real time; a jump must not overtake bytes that the
 * peer is about to send. */
static void wait_modelled(uint64_t next)
{
	if (next <= chip_clock_us())
		return;
	uint64_t patience = sim_connections_expect_for(next);
	if (patience < sim_connections_patience_us())
		patience = sim_connections_patience_us();
	if (patience > 0)
		wait_for_host(limited(patience));
	else if (next != EVENT_LOOP_NEVER)
		clock_jump_to(next);
	else
		wait_for_host(WAIT_MAX_US);
}

/* The peers have had that time already. */
static void make_up(uint64_t next)
{
	uint64_t now = chip_clock_us();
	uint64_t step = next > now ? earlier(next - now, overslept_us) : 0;
	overslept_us -= step;
	clock_jump_to(now + step);
}

/* Until `due_us` from now, or for a while; a host that wakes late, again and again, must not slow the clock down. */
static void wait_following(uint64_t due_us)
{
	uint64_t begin_us = clock_real_us();
	wait_for_host(limited(due_us));
	uint64_t slept_us = clock_real_us() - begin_us;
	if (chip->options.fast && slept_us > due_us)
		overslept_us = earlier(overslept_us + slept_us - due_us, OVERSLEPT_MAX_US);
}

/* What would be a jump takes real time, a part of it; a long one in pieces, with signs of life between them. What the host
 * sleeps too long does not count: where many devices want the processor, virtual time is slow, and they want less. */
static void wait_paced(uint64_t now, uint64_t next)
{
	uint64_t due_us = (next - now) / chip->options.pace;
	uint64_t begin_us = clock_real_us();
	wait_for_host(limited(due_us));
	uint64_t passed_us = earlier(clock_real_us() - begin_us, limited(due_us));
	clock_jump_to(passed_us < due_us ? now + passed_us * chip->options.pace : next);
}

static void wait_for_event(void)
{
	uint64_t now = chip_clock_us();
	uint64_t next = sim_timer_next_us();
	bool has_sockets = sim_connections_are_waiting() || sim_connections_patience_us() > 0;
	next = earlier(next, next_outage_edge(now));
	if (chip->options.max_us)
		next = earlier(next, chip->options.max_us);
	if (chip->options.fast && has_sockets && sim_link_is_modelled()) {
		wait_modelled(next);
		return;
	}
	clock_follow_real_time(has_sockets);
	clock_stop_at(next);
	if (next <= now)
		return;
	if (chip->options.fast && sim_connections_have_news(next))
		clock_jump_to(next);
	else if (has_sockets && overslept_us > 0)
		make_up(next);
	else if (has_sockets)
		wait_following(next - now);
	else if (chip->options.fast && sim_udp_patience_us() > 0)
		wait_for_host(sim_udp_patience_us());
	else if (chip->options.pace && next != EVENT_LOOP_NEVER)
		wait_paced(now, next);
	else if (chip->options.fast && next != EVENT_LOOP_NEVER)
		clock_jump_to(next);
	else
		wait_for_host(limited(next - now));
}

_Noreturn void event_loop_run(void *the)
{
	event_loop_after_callback(the);
	for (;;) {
		chip->heartbeat++;
		clock_check_limit();
		idf_names_run();
		bool has_run = sim_timer_run_due();
		sim_connections_run();
		has_run |= sim_udp_run_due();
		if (!has_run)
			wait_for_event();
	}
}
