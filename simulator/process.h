/*
 * How the child process, which is one boot of the application, ends. chip.h has
 * chip_reset and chip_power_cut; this is the rest.
 */
#ifndef FOTA_PROCESS_H
#define FOTA_PROCESS_H

#include "chip.h"

/* The child was not stopped by the chip but by the sanitizers. */
#define PROCESS_SANITIZER_EXIT 86

/* The run is over: the parent writes statistics and exits. */
_Noreturn void process_end_run(enum chip_end end);

#endif
