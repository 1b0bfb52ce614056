/* The simulator's own header: the part of ESP-IDF 6.0's generated sdkconfig.h. The chip is chosen when the simulator
 * starts, so its number is not a constant here. */
#pragma once

#include <stdint.h>

uint16_t idf_chip_id(void);

#define CONFIG_IDF_FIRMWARE_CHIP_ID idf_chip_id()
#define CONFIG_PARTITION_TABLE_OFFSET 0x8000
#define CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE 1
