/*
 * What a key-value store shows to its iterator (sim-key-value.c).
 */
#ifndef XS_FOTA_SIM_KEY_VALUE_H
#define XS_FOTA_SIM_KEY_VALUE_H

#include "esp_err.h"
#include "nvs.h"
#include "xsmc.h"

/* Throws ESP-IDF's name for anything but ESP_OK. */
void key_value_throw_if(xsMachine *the, esp_err_t error);

/* Throws "closed", or TypeError for anything that is no store. */
nvs_handle_t key_value_handle(xsMachine *the, xsSlot *slot);

#endif
