/* Timers as the event loop sees them; sim-timer.c has the module "timer". */
#ifndef FOTA_SIM_TIMER_H
#define FOTA_SIM_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* When the next timer is due (virtual µs), EVENT_LOOP_NEVER if none is. */
uint64_t sim_timer_next_us(void);
/* Calls every timer that is due now; those set meanwhile wait. True if any ran. */
bool sim_timer_run_due(void);

#endif
