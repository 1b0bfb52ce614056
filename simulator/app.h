/* One boot of the chip, in the child process: see app.c. */
#ifndef FOTA_APP_H
#define FOTA_APP_H

_Noreturn void app_boot(void);

#endif
