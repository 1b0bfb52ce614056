/* The simulator's own header: the part of ESP-IDF 6.0's nvs_flash.h. */
#pragma once

#include "nvs.h"

esp_err_t nvs_flash_init(void);
esp_err_t nvs_flash_erase(void);
