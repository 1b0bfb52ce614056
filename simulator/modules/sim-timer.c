/*
 * C of the "timer" stand-in: Timer.set, repeat, schedule, clear, delay with the
 * semantics of Moddable's. Times count in whole milliseconds since boot. A timer
 * set while timers run waits for the next turn; a one-shot ends after its callback.
 */
#include "sim-timer.h"

#include "xsmc.h"
#include "xsHost.h"

#include "chip.h"
#include "xs/event-loop.h"

struct timer {
	struct timer *next;
	xsMachine *the;
	xsSlot *callback; /* NULL once cleared */
	xsSlot self;
	uint64_t due_ms;
	int32_t repeat_ms; /* 0: once */
	bool is_scheduled;
	bool is_firing;
	int use_count;
};

static struct timer *first_timer;

static void mark(xsMachine *the, void *data, xsMarkRoot mark_root)
{
	struct timer *timer = data;
	if (timer && timer->callback)
		(*mark_root)(the, timer->callback);
}

static const xsHostHooks timer_hooks = { NULL, mark, NULL };

static uint64_t now_ms(void)
{
	return chip_uptime_us() / 1000u;
}

static void release(struct timer *timer)
{
	if (--timer->use_count > 0)
		return;
	struct timer **link = &first_timer;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	free(timer);
}

/* The object and the timer part; the timer goes when no turn uses it. */
static void detach(xsMachine *the, struct timer *timer)
{
	xsForget(timer->self);
	xsmcSetHostData(timer->self, NULL);
	timer->callback = NULL;
	timer->is_scheduled = false;
	release(timer);
}

static void add(xsMachine *the, int32_t delay_ms, int32_t repeat_ms)
{
	if (!xsmcIsCallable(xsArg(0)))
		xsTypeError("callback is no function");
	struct timer *timer = calloc(1, sizeof(*timer));
	if (!timer)
		xsUnknownError("add failed");
	timer->the = the;
	timer->callback = xsToReference(xsArg(0));
	timer->due_ms = now_ms() + (uint64_t)(delay_ms > 0 ? delay_ms : 0);
	timer->repeat_ms = repeat_ms;
	timer->is_scheduled = true;
	timer->use_count = 1;
	struct timer **link = &first_timer;
	while (*link)
		link = &(*link)->next;
	*link = timer;
	timer->self = xsNewHostObject(NULL);
	xsRemember(timer->self);
	xsmcSetHostData(timer->self, timer);
	xsSetHostHooks(timer->self, &timer_hooks);
	xsResult = timer->self;
}

static struct timer *timer_argument(xsMachine *the)
{
	struct timer *timer = xsmcGetHostDataValidate(xsArg(0), (void *)&timer_hooks);
	if (!timer)
		xsUnknownError("invalid timer");
	return timer;
}

void xs_timer_set(xsMachine *the)
{
	int32_t delay_ms = xsmcArgc > 1 ? xsmcToInteger(xsArg(1)) : 0;
	int32_t repeat_ms = xsmcArgc > 2 ? xsmcToInteger(xsArg(2)) : 0;
	add(the, delay_ms, repeat_ms);
}

void xs_timer_repeat(xsMachine *the)
{
	int32_t delay_ms = xsmcToInteger(xsArg(1));
	add(the, delay_ms, delay_ms);
}

void xs_timer_schedule(xsMachine *the)
{
	struct timer *timer = timer_argument(the);
	bool has_delay = xsmcArgc > 1 && xsmcTypeOf(xsArg(1)) != xsUndefinedType;
	bool has_repeat = xsmcArgc > 2 && xsmcTypeOf(xsArg(2)) != xsUndefinedType;
	int32_t delay_ms = has_delay ? xsmcToInteger(xsArg(1)) : 0;
	timer->repeat_ms = has_delay ? (has_repeat ? xsmcToInteger(xsArg(2)) : 0) : -1;
	timer->is_scheduled = has_delay;
	timer->is_firing = timer->is_firing && has_delay;
	timer->due_ms = now_ms() + (uint64_t)(delay_ms > 0 ? delay_ms : 0);
}

void xs_timer_clear(xsMachine *the)
{
	struct timer *volatile timer = NULL;
	if (xsmcArgc == 0 || xsmcTypeOf(xsArg(0)) != xsReferenceType)
		return;
	xsTry {
		if (xsGetHostHooks(xsArg(0)) == &timer_hooks)
			timer = xsmcGetHostData(xsArg(0));
	}
	xsCatch {
		/* Not a timer: ignored, as on the chip. */
	}
	if (timer)
		detach(the, timer);
}

void xs_timer_delay(xsMachine *the)
{
	int32_t ms = xsmcToInteger(xsArg(0));
	if (ms > 0)
		modDelayMilliseconds((uint32_t)ms);
}

uint64_t sim_timer_next_us(void)
{
	uint64_t next = EVENT_LOOP_NEVER;
	for (struct timer *timer = first_timer; timer; timer = timer->next) {
		uint64_t due_us = chip->boot_us + timer->due_ms * 1000u;
		if (timer->is_scheduled && due_us < next)
			next = due_us;
	}
	return next;
}

static void fire(struct timer *timer)
{
	xsMachine *the = timer->the;
	timer->is_firing = false;
	timer->use_count++;
	if (timer->repeat_ms > 0)
		timer->due_ms += (uint64_t)timer->repeat_ms;
	xsBeginHost(the);
	xsmcVars(1);
	xsVar(0) = xsReference(timer->callback);
	xsCallFunction1(xsVar(0), xsGlobal, timer->self);
	xsEndHost(the);
	event_loop_after_callback(timer->the);
	if (timer->callback && timer->repeat_ms == 0) {
		the = timer->the;
		xsBeginHost(the);
		detach(the, timer);
		xsEndHost(the);
	}
	release(timer);
}

bool sim_timer_run_due(void)
{
	bool has_run = false;
	uint64_t now = now_ms();
	for (struct timer *timer = first_timer; timer; timer = timer->next)
		timer->is_firing = timer->is_scheduled && timer->due_ms <= now;
	struct timer *timer = first_timer;
	while (timer) {
		if (!timer->is_firing) {
			timer = timer->next;
			continue;
		}
		has_run = true;
		fire(timer);
		timer = first_timer;
	}
	return has_run;
}
