/*
 * The store behind nvs_*: a log with two halves, safe against power cuts at any operation.
 * Called by nvs.c alone; knows names, types and bytes, not handles.
 *
 * The format is the simulator's own (the real one is not needed to test its users). The
 * partition is cut into two areas of whole sectors; one is live. An area:
 *
 *   0   u32  magic 0x53564E46 ("FNVS")      written last when an area is made,
 *   4   u32  generation; the higher is live  so that it appears whole or not at all
 *   8   u32  version, 1
 *   12  u32  CRC-32 of bytes 0–11
 *   16  entries, each padded to 4 bytes:
 *       0   u16     value bytes
 *       2   u8      nvs_type_t; 0: the key is erased
 *       3   u8      0
 *       4   u8[16]  namespace, zero-padded
 *       20  u8[16]  key, zero-padded
 *       36  u32     CRC-32 of bytes 0–35 and the value
 *       40  value
 *
 * The last whole entry of a key counts. An entry is programmed from front to back, so a
 * torn one has a wrong CRC: the log ends there, and the next write moves all that lives
 * into the other area, erased first, with the new value in place of the old.
 */
#ifndef NVS_LOG_H
#define NVS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

#define NVS_LOG_NAME_BYTES 16

struct nvs_log_entry {
	uint32_t offset; /* of the entry, in flash */
	uint16_t length; /* of the value */
	uint8_t type; /* nvs_type_t; 0: erased */
	char space[NVS_LOG_NAME_BYTES]; /* terminated */
	char key[NVS_LOG_NAME_BYTES];
	const uint8_t *value; /* in the flash mapping */
};

/* Finds the live area, or makes one where neither is sound. */
esp_err_t nvs_log_init(void);

/* Erases the partition. Init again before any use. */
esp_err_t nvs_log_erase(void);

bool nvs_log_find(const char *space, const char *key, struct nvs_log_entry *entry);

/*
 * The value of a key, or with type 0 its end. After a cut the old or the new value is
 * found. ESP_ERR_NVS_NOT_ENOUGH_SPACE: it would not fit even when all else is compacted;
 * nothing has changed.
 */
esp_err_t nvs_log_put(const char *space, const char *key, uint8_t type, const void *value, size_t length);

/*
 * The next live entry at or behind a position (0 to begin); *position moves behind it.
 * False at the end. A put in between may move everything.
 */
bool nvs_log_next(uint32_t *position, struct nvs_log_entry *entry);

#endif
