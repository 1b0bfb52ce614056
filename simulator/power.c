/*
 * The parent process. Forks a child for every boot (app.c), watches its heartbeat,
 * and turns the way it ended into the next reset reason. It touches no flash and
 * runs no firmware; what it shares with the child is struct chip.
 */
#include "power.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "chip.h"
#include "clock.h"
#include "process.h"

#define LOOK_MS 50 /* how often the watchdog looks, in real time */
#define SLEEPING_FACTOR 10u /* real time a child may stand still without using the processor */

static sigset_t watched_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

static pid_t fork_boot(void)
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t child = fork();
	if (child != 0)
		return child;
	sigset_t set = watched_signals();
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGINT, SIG_IGN); /* of a terminal: the parent decides */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	app_boot();
}

static void kill_child(pid_t child, int *status)
{
	kill(child, SIGKILL);
	waitpid(child, status, 0);
}

/* Processor time of the child in microseconds, 0 if it has just ended. */
static uint64_t child_cpu_us(pid_t child)
{
	clockid_t clock;
	struct timespec used;
	if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000u + (uint64_t)used.tv_nsec / 1000u;
}

/* The watchdog: when the child last gave a sign of life. */
struct life {
	uint32_t heartbeat;
	uint64_t real_us;
	uint64_t cpu_us;
};

/* Processor time counts, not real time: on a busy host a device that gets no turn
 * is not hung. */
static bool is_hung(pid_t child, struct life *life, uint64_t now_us)
{
	uint64_t limit_us = (uint64_t)chip->options.watchdog_ms * 1000u;
	uint32_t heartbeat = __atomic_load_n(&chip->heartbeat, __ATOMIC_RELAXED);
	uint64_t cpu_us = child_cpu_us(child);
	if (heartbeat != life->heartbeat) {
		*life = (struct life){ heartbeat, now_us, cpu_us };
		return false;
	}
	return (cpu_us > life->cpu_us && cpu_us - life->cpu_us > limit_us)
		|| now_us - life->real_us > limit_us * SLEEPING_FACTOR;
}

/* Waits for the child to end, or ends it. True: the watchdog did. */
static bool watch(pid_t child, const struct run_options *run, int *status)
{
	sigset_t set = watched_signals();
	struct timespec look = { 0, LOOK_MS * 1000000L };
	struct life life = { chip->heartbeat, clock_real_us(), 0 };
	for (;;) {
		int signal_number = sigtimedwait(&set, NULL, &look);
		if (waitpid(child, status, WNOHANG) == child)
			return false;
		uint64_t now = clock_real_us();
		if (signal_number == SIGTERM || signal_number == SIGINT) {
			chip->end = CHIP_END_SIGNAL;
			chip->until_index = (uint32_t)signal_number;
		} else if (run->max_wall_ms && now - chip->real_zero_us > run->max_wall_ms * 1000u) {
			chip->end = CHIP_END_WALL;
		}
		if (chip->end != CHIP_END_NONE) {
			kill_child(child, status);
			return false;
		}
		if (is_hung(child, &life, now)) {
			kill_child(child, status);
			return true;
		}
	}
}

static enum chip_reset reason_of(int status, bool is_watchdog)
{
	if (is_watchdog) {
		chip_log("cpu", "Task watchdog got triggered: no event-loop turn in %u ms",
			(unsigned)chip->options.watchdog_ms);
		return CHIP_RESET_TASK_WDT;
	}
	if (WIFSIGNALED(status)) {
		chip_log("cpu", "Guru Meditation Error: the application died of signal %d%s",
			WTERMSIG(status), WTERMSIG(status) == SIGABRT ? " (abort)" : "");
		return CHIP_RESET_PANIC;
	}
	if (WEXITSTATUS(status) == PROCESS_SANITIZER_EXIT) {
		chip->end = CHIP_END_INTERNAL;
		return CHIP_RESET_PANIC;
	}
	if (WEXITSTATUS(status) != 0 || chip->next_reset == CHIP_RESET_UNKNOWN) {
		chip_log("cpu", "the application's process ended with %d", WEXITSTATUS(status));
		return CHIP_RESET_PANIC;
	}
	return (enum chip_reset)chip->next_reset;
}

static void note_reset(enum chip_reset reason)
{
	chip->reset_reason = reason;
	if (reason == CHIP_RESET_POWERON) {
		for (size_t i = 0; i < sizeof(chip->rtc) / sizeof(chip->rtc[0]); i++)
			chip->rtc[i] = 0;
		clock_power_on();
	}
	if (chip->reset_count < CHIP_RESETS_MAX) {
		struct chip_reset_record *record = &chip->reset[chip->reset_count];
		record->reason = reason;
		record->virtual_ms = chip_clock_us() / 1000u;
	}
	chip->reset_count++;
}

void power_run(const struct run_options *run)
{
	sigset_t set = watched_signals();
	sigprocmask(SIG_BLOCK, &set, NULL);
	chip->reset_reason = CHIP_RESET_POWERON;
	clock_power_on();
	while (chip->end == CHIP_END_NONE) {
		int status = 0;
		chip->boot_count++;
		chip->boot_us = chip_clock_us();
		chip->next_reset = CHIP_RESET_UNKNOWN;
		chip->memory_stats.native_bytes = 0;
		chip->memory_stats.native_boot_peak_bytes = 0;
		pid_t child = fork_boot();
		if (child < 0) {
			perror("xs-fota-sim: fork");
			chip->end = CHIP_END_INTERNAL;
			return;
		}
		bool is_watchdog = watch(child, run, &status);
		if (chip->end != CHIP_END_NONE)
			return;
		enum chip_reset reason = reason_of(status, is_watchdog);
		if (chip->end != CHIP_END_NONE)
			return;
		note_reset(reason);
		if (run->boots && chip->boot_count >= run->boots)
			chip->end = CHIP_END_BOOTS;
		else if (chip->boot_count >= run->max_boots)
			chip->end = CHIP_END_BOOT_LOOP;
		else if (chip->options.max_us && chip_clock_us() >= chip->options.max_us)
			chip->end = CHIP_END_STUCK;
	}
}
