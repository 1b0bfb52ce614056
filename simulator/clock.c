/*
 * Virtual time, wall clock and delays of the simulated chip. In real time the
 * clock is the host's; with --fast it moves only when something moves it.
 */
#include "clock.h"

#include <time.h>

#include "chip.h"
#include "process.h"
#include "xs/host.h"
#include "xs/include/xsHost.h"

/* Real time between two questions. */
#define ASK_REST_US 200u

static bool is_following_real;
static uint64_t followed_real_us; /* real time up to which now_us has followed */
static uint64_t stop_us; /* following, now_us does not pass this */

uint64_t clock_real_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

bool clock_may_ask_host(uint64_t *asked_us)
{
	uint64_t now = clock_real_us();
	if (now - *asked_us < ASK_REST_US)
		return false;
	*asked_us = now;
	return true;
}

static void sleep_us(uint64_t us)
{
	struct timespec pause = { (time_t)(us / 1000000u), (long)(us % 1000000u) * 1000 };
	nanosleep(&pause, NULL);
}

uint64_t chip_clock_us(void)
{
	if (!chip->options.fast) {
		chip->now_us = clock_real_us() - chip->real_zero_us;
	} else if (is_following_real) {
		uint64_t real = clock_real_us();
		uint64_t room = stop_us > chip->now_us ? stop_us - chip->now_us : 0;
		uint64_t passed = real - followed_real_us;
		chip->now_us += passed < room ? passed : room;
		followed_real_us = real;
	}
	return chip->now_us;
}

uint64_t chip_uptime_us(void)
{
	return chip_clock_us() - chip->boot_us;
}

void clock_check_limit(void)
{
	if (chip->options.max_us && chip_clock_us() >= chip->options.max_us)
		process_end_run(CHIP_END_STUCK);
}

void chip_clock_advance_us(uint64_t us)
{
	if (chip->options.fast)
		chip->now_us = chip_clock_us() + us;
	else
		sleep_us(us);
	clock_check_limit();
}

void clock_follow_real_time(bool is_following)
{
	if (is_following == is_following_real)
		return;
	chip_clock_us();
	is_following_real = is_following;
	followed_real_us = clock_real_us();
}

void clock_stop_at(uint64_t us)
{
	chip_clock_us();
	stop_us = us;
}

void clock_jump_to(uint64_t us)
{
	uint64_t now = chip_clock_us();
	if (us <= now)
		return;
	if (chip->options.fast)
		chip->now_us = us;
	else
		sleep_us(us - now);
}

int64_t host_wall_us(void)
{
	uint64_t now = chip_clock_us();
	int64_t wall = (int64_t)now + chip->wall_offset_us;
	if (chip->options.clock_jump_us && now >= chip->options.clock_jump_at_us)
		wall += chip->options.clock_jump_us;
	return wall;
}

void clock_power_on(void)
{
	chip->wall_offset_us = chip->options.epoch_us - (int64_t)chip_clock_us();
}

void clock_set_wall(int64_t us)
{
	chip->wall_offset_us += us - host_wall_us();
}

uint32_t modMilliseconds(void)
{
	return (uint32_t)(chip_uptime_us() / 1000u);
}

void modDelayMilliseconds(uint32_t ms)
{
	chip_clock_advance_us((uint64_t)ms * 1000u);
}

void modSetTime(uint32_t seconds)
{
	clock_set_wall((int64_t)seconds * 1000000);
}
