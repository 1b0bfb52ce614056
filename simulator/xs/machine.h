/* The XS machine of one boot: made, given the application, and run. */
#ifndef FOTA_MACHINE_H
#define FOTA_MACHINE_H

/* Imports the entry module, calls its default export, then runs the event loop.
 * Never returns: the child ends by a reset or when the run is over. */
_Noreturn void machine_run(void);

#endif
