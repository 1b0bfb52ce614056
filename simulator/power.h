/* The parent process: power supply, reset line and watchdog. See power.c. */
#ifndef FOTA_POWER_H
#define FOTA_POWER_H

#include "options.h"

/* Boots the chip again and again until the run is over; chip->end says why. */
void power_run(const struct run_options *run);

#endif
