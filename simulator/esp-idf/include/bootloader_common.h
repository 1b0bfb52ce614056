/* The simulator's own header: the part of ESP-IDF 6.0's bootloader_common.h: what bootloader and application agree on
 * about boot records. */
#pragma once

#include <stdbool.h>

#include "esp_flash_partitions.h"

uint32_t bootloader_common_ota_select_crc(const esp_ota_select_entry_t *s);
bool bootloader_common_ota_select_invalid(const esp_ota_select_entry_t *s);
bool bootloader_common_ota_select_valid(const esp_ota_select_entry_t *s);
int bootloader_common_get_active_otadata(esp_ota_select_entry_t *two_otadata);
