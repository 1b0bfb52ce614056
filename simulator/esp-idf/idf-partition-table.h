/*
 * The partition table in flash, read and checked once a boot, for esp_partition_* and
 * the bootloader alike.
 */
#ifndef IDF_PARTITION_TABLE_H
#define IDF_PARTITION_TABLE_H

#include "esp_flash_partitions.h"

/*
 * The checked entries at 0x8000, as they lie in flash, and their number; NULL if the table
 * is damaged (magic, MD5 row, end row, bounds).
 */
const esp_partition_info_t *idf_partition_table(uint32_t *count);

#endif
