/*
 * The application's task: timers, sockets, promise jobs, and the waiting between.
 */
#ifndef FOTA_EVENT_LOOP_H
#define FOTA_EVENT_LOOP_H

#include <stdint.h>

#define EVENT_LOOP_NEVER UINT64_MAX

/* The machine is a void pointer here: engine and natives know it by two types. */

_Noreturn void event_loop_run(void *the);

/* A callback into JavaScript has returned: run what it queued. */
void event_loop_after_callback(void *the);

#endif
