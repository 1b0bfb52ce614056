/*
 * Keeps a spoilt NVS partition from stopping the chip. The SDK's main.c calls
 * nvs_flash_init under ESP_ERROR_CHECK before any JavaScript: where that fails for a
 * reason that a restart does not cure, the chip would restart for ever. It has a
 * constructor that no one calls; what that did is asked by fota-system.c.
 */
#ifndef FOTA_GUARD_H
#define FOTA_GUARD_H

#include <stdbool.h>

/* True if this start had to erase NVS. */
bool fotaGuardHasErasedNvs(void);

#endif
