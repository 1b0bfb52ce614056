/*
 * Ends of the child process and what is common to them: the memory's high-water
 * marks are written down, then nothing more runs (no destructors, no flushing:
 * a reset is a reset). Why it ended lies in shared memory for the parent.
 */
#include "process.h"

#include <unistd.h>

#include "xs/memory-marks.h"

static _Noreturn void leave(void)
{
	memory_marks_end();
	chip_clock_us();
	_exit(0);
}

_Noreturn void chip_reset(enum chip_reset reason)
{
	chip->next_reset = reason;
	leave();
}

_Noreturn void chip_power_cut(enum chip_fault_kind kind)
{
	chip->next_reset = kind == CHIP_FAULT_BROWNOUT ? CHIP_RESET_BROWNOUT : CHIP_RESET_POWERON;
	if (chip->options.cut_stays_off && kind == CHIP_FAULT_CUT)
		chip->end = CHIP_END_CUT;
	leave();
}

_Noreturn void process_end_run(enum chip_end end)
{
	chip->end = end;
	leave();
}

/* A report of the sanitizers must never pass for a crash of the firmware. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "exitcode=86:detect_leaks=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:exitcode=86:print_stacktrace=1";
}
