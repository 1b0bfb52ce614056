/* See nvs-log.h. */

#include "nvs-log.h"

#include <string.h>

#include "chip.h"
#include "esp_partition.h"
#include "nvs.h"

#define AREA_MAGIC 0x53564E46u
#define AREA_VERSION 1u
#define ENTRY_BYTES 40u
#define VALUE_BYTES_MAX 4000u

struct AreaHeader {
	uint32_t magic;
	uint32_t generation;
	uint32_t version;
	uint32_t crc;
};

struct EntryHeader {
	uint16_t length;
	uint8_t type;
	uint8_t zero;
	char space[NVS_LOG_NAME_BYTES];
	char key[NVS_LOG_NAME_BYTES];
	uint32_t crc;
};

_Static_assert(sizeof(struct EntryHeader) == ENTRY_BYTES, "the entry's header is 40 bytes");

/* The live area; offsets in flash. */
static struct {
	uint32_t offset[2];
	uint32_t bytes;
	uint32_t end;	/* where the next entry goes */
	uint32_t generation;
	int live;
	bool isTorn;	/* nothing can be appended */
} gLog;

static uint32_t crc32(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	crc = ~crc;
	while (length--) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
	}
	return ~crc;
}

static uint32_t entryBytes(size_t length)
{
	return ENTRY_BYTES + (((uint32_t)length + 3u) & ~3u);
}

static uint32_t areaEnd(int area)
{
	return gLog.offset[area] + gLog.bytes;
}

static bool readArea(int area, struct AreaHeader *header)
{
	memcpy(header, chip->flash + gLog.offset[area], sizeof(*header));
	return AREA_MAGIC == header->magic && crc32(0, header, 12) == header->crc;
}

/* Reads the entry at `offset`; false if there is none that is whole. */
static bool readEntry(uint32_t offset, uint32_t end, struct nvs_log_entry *entry)
{
	struct EntryHeader header;
	if (end - offset < ENTRY_BYTES)
		return false;
	memcpy(&header, chip->flash + offset, sizeof(header));
	if (header.length > VALUE_BYTES_MAX || end - offset < entryBytes(header.length))
		return false;
	const uint8_t *value = chip->flash + offset + ENTRY_BYTES;
	if (crc32(crc32(0, &header, 36), value, header.length) != header.crc)
		return false;
	if (header.space[NVS_LOG_NAME_BYTES - 1] || header.key[NVS_LOG_NAME_BYTES - 1])
		return false;
	entry->offset = offset;
	entry->length = header.length;
	entry->type = header.type;
	memcpy(entry->space, header.space, sizeof(entry->space));
	memcpy(entry->key, header.key, sizeof(entry->key));
	entry->value = value;
	return true;
}

static bool isErased(uint32_t offset, uint32_t end)
{
	while (offset < end) {
		if (0xFF != chip->flash[offset++])
			return false;
	}
	return true;
}

static void scan(void)
{
	struct nvs_log_entry entry;
	uint32_t end = areaEnd(gLog.live);
	uint32_t offset = gLog.offset[gLog.live] + (uint32_t)sizeof(struct AreaHeader);
	while (readEntry(offset, end, &entry))
		offset += entryBytes(entry.length);
	gLog.end = offset;
	gLog.isTorn = !isErased(offset, end);
}

static esp_err_t flashError(int result)
{
	return 0 == result ? ESP_OK : ESP_ERR_FLASH_OP_FAIL;
}

static esp_err_t writeHeader(int area, uint32_t generation)
{
	struct AreaHeader header = { AREA_MAGIC, generation, AREA_VERSION, 0 };
	header.crc = crc32(0, &header, 12);
	return flashError(chip_flash_program(gLog.offset[area], &header, sizeof(header)));
}

static bool isLive(const struct nvs_log_entry *entry)
{
	struct nvs_log_entry last;
	return entry->type && nvs_log_find(entry->space, entry->key, &last) && last.offset == entry->offset;
}

bool nvs_log_next(uint32_t *position, struct nvs_log_entry *entry)
{
	uint32_t offset = *position;
	if (0 == offset)
		offset = gLog.offset[gLog.live] + (uint32_t)sizeof(struct AreaHeader);
	while (offset < gLog.end && readEntry(offset, gLog.end, entry)) {
		offset += entryBytes(entry->length);
		*position = offset;
		if (isLive(entry))
			return true;
	}
	return false;
}

bool nvs_log_find(const char *space, const char *key, struct nvs_log_entry *found)
{
	struct nvs_log_entry entry;
	uint32_t offset = gLog.offset[gLog.live] + (uint32_t)sizeof(struct AreaHeader);
	found->type = 0;
	while (offset < gLog.end && readEntry(offset, gLog.end, &entry)) {
		if (0 == strcmp(entry.key, key) && 0 == strcmp(entry.space, space))
			*found = entry;
		offset += entryBytes(entry.length);
	}
	return 0 != found->type;
}

esp_err_t nvs_log_init(void)
{
	struct AreaHeader header[2];
	const esp_partition_t *partition =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_NVS, NULL);
	if (!partition || partition->size < 2 * CHIP_SECTOR_BYTES)
		return ESP_ERR_NVS_PART_NOT_FOUND;
	gLog.bytes = partition->size / 2 / CHIP_SECTOR_BYTES * CHIP_SECTOR_BYTES;
	gLog.offset[0] = partition->address;
	gLog.offset[1] = partition->address + gLog.bytes;
	bool isSound[2] = { readArea(0, &header[0]), readArea(1, &header[1]) };
	for (int i = 0; i < 2; i++) {
		/* As ESP-IDF where what is there is whole and contradicts itself. */
		if (isSound[i] && 0 == header[i].version)
			return ESP_FAIL;
		if (isSound[i] && AREA_VERSION != header[i].version)
			return ESP_ERR_NVS_NEW_VERSION_FOUND;
	}
	gLog.live = isSound[1] && (!isSound[0] || header[1].generation > header[0].generation) ? 1 : 0;
	gLog.generation = header[gLog.live].generation;
	if (!isSound[gLog.live]) {
		gLog.generation = 1;
		esp_err_t err = flashError(chip_flash_erase(gLog.offset[0], gLog.bytes));
		if (ESP_OK == err)
			err = writeHeader(0, gLog.generation);
		if (ESP_OK != err)
			return err;
	}
	scan();
	return ESP_OK;
}

esp_err_t nvs_log_erase(void)
{
	const esp_partition_t *partition =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_NVS, NULL);
	return partition ? esp_partition_erase_range(partition, 0, partition->size) : ESP_ERR_NVS_PART_NOT_FOUND;
}

static esp_err_t writeEntry(
	uint32_t offset, const char *space, const char *key, uint8_t type, const void *value, size_t length)
{
	uint8_t bytes[ENTRY_BYTES + VALUE_BYTES_MAX];
	struct EntryHeader header = { .length = (uint16_t)length, .type = type };
	memcpy(header.space, space, strlen(space));
	memcpy(header.key, key, strlen(key));
	header.crc = crc32(crc32(0, &header, 36), value, length);
	memset(bytes, 0xFF, entryBytes(length));
	memcpy(bytes, &header, sizeof(header));
	if (length)
		memcpy(bytes + ENTRY_BYTES, value, length);
	return flashError(chip_flash_program(offset, bytes, entryBytes(length)));
}

static bool isKey(const struct nvs_log_entry *entry, const char *space, const char *key)
{
	return 0 == strcmp(entry->key, key) && 0 == strcmp(entry->space, space);
}

/* All that lives and the new value, into the other area; its header, last, makes it live. */
static esp_err_t compact(const char *space, const char *key, uint8_t type, const void *value, size_t length)
{
	struct nvs_log_entry entry;
	int other = 1 - gLog.live;
	uint32_t need = (uint32_t)sizeof(struct AreaHeader) + (type ? entryBytes(length) : 0);
	for (uint32_t position = 0; nvs_log_next(&position, &entry);) {
		if (!isKey(&entry, space, key))
			need += entryBytes(entry.length);
	}
	if (need > gLog.bytes)
		return ESP_ERR_NVS_NOT_ENOUGH_SPACE;
	uint32_t offset = gLog.offset[other] + (uint32_t)sizeof(struct AreaHeader);
	esp_err_t err = flashError(chip_flash_erase(gLog.offset[other], gLog.bytes));
	for (uint32_t position = 0; ESP_OK == err && nvs_log_next(&position, &entry);) {
		if (isKey(&entry, space, key))
			continue;
		err = writeEntry(offset, entry.space, entry.key, entry.type, entry.value, entry.length);
		offset += entryBytes(entry.length);
	}
	if (ESP_OK == err && type)
		err = writeEntry(offset, space, key, type, value, length);
	if (ESP_OK == err)
		err = writeHeader(other, gLog.generation + 1);
	if (ESP_OK != err)
		return err;
	gLog.live = other;
	gLog.generation++;
	scan();
	return ESP_OK;
}

/* NVS programs nothing where the value is there already. */
esp_err_t nvs_log_put(const char *space, const char *key, uint8_t type, const void *value, size_t length)
{
	struct nvs_log_entry entry;
	if (length > VALUE_BYTES_MAX)
		return ESP_ERR_NVS_VALUE_TOO_LONG;
	bool isThere = nvs_log_find(space, key, &entry);
	if (isThere && entry.type == type && entry.length == length
		&& (0 == length || 0 == memcmp(entry.value, value, length)))
		return ESP_OK;
	if (!isThere && 0 == type)
		return ESP_OK;
	chip->flash_stats.nvs_write_count++;
	if (gLog.isTorn || areaEnd(gLog.live) - gLog.end < entryBytes(length))
		return compact(space, key, type, value, length);
	esp_err_t err = writeEntry(gLog.end, space, key, type, value, length);
	if (ESP_OK == err)
		gLog.end += entryBytes(length);
	else
		gLog.isTorn = true;
	return err;
}
