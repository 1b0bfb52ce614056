/*
 * esp_partition_* over the simulated flash: the partition table in its real binary form,
 * and access that stays within a partition. Called by src/native and its neighbours here.
 */

#include "esp_partition.h"

#include <string.h>

#include "chip.h"
#include "idf-hash.h"
#include "idf-partition-table.h"

#define MD5_BYTES 16

static bool isMd5Right(const esp_partition_info_t *table, uint32_t rows)
{
	uint8_t digest[MD5_BYTES];
	const uint8_t *stored = (const uint8_t *)&table[rows] + ESP_PARTITION_MD5_OFFSET;
	if (0 != mbedtls_md5((const uint8_t *)table, rows * sizeof(*table), digest))
		return false;
	return 0 == memcmp(stored, digest, sizeof(digest));
}

static bool isInFlash(const esp_partition_info_t *row)
{
	return row->pos.offset <= chip->flash_bytes && row->pos.size <= chip->flash_bytes - row->pos.offset;
}

static bool isEnd(const esp_partition_info_t *row)
{
	return 0xFFFF == row->magic && PART_TYPE_END == row->type && PART_SUBTYPE_END == row->subtype;
}

const esp_partition_info_t *idf_partition_table(uint32_t *count)
{
	const esp_partition_info_t *table = (const void *)(chip->flash + ESP_PARTITION_TABLE_OFFSET);
	uint32_t md5Rows = 0;
	for (uint32_t i = 0; i < ESP_PARTITION_TABLE_MAX_ENTRIES; i++) {
		if (ESP_PARTITION_MAGIC == table[i].magic) {
			if (!isInFlash(&table[i]))
				return NULL;
		}
		else if (ESP_PARTITION_MAGIC_MD5 == table[i].magic) {
			if (md5Rows++ || !isMd5Right(table, i))
				return NULL;
		}
		else if (i && isEnd(&table[i])) {
			*count = i - md5Rows;
			return table;
		}
		else
			return NULL;
	}
	return NULL;
}

static esp_partition_t gPartitions[ESP_PARTITION_TABLE_MAX_ENTRIES];
static uint32_t gPartitionCount;

/* Handed out by address, as ESP-IDF does, so the list is made once and stays. */
static void loadPartitions(void)
{
	uint32_t count = 0;
	if (gPartitionCount || !chip || !chip->flash)
		return;
	const esp_partition_info_t *table = idf_partition_table(&count);
	for (uint32_t i = 0; table && i < count; i++) {
		esp_partition_t *partition = &gPartitions[i];
		partition->type = table[i].type;
		partition->subtype = table[i].subtype;
		partition->address = table[i].pos.offset;
		partition->size = table[i].pos.size;
		partition->erase_size = CHIP_SECTOR_BYTES;
		partition->encrypted = 0 != (table[i].flags & PART_FLAG_ENCRYPTED);
		partition->readonly = 0 != (table[i].flags & PART_FLAG_READONLY);
		memcpy(partition->label, table[i].label, sizeof(table[i].label));
	}
	gPartitionCount = table ? count : 0;
}

const esp_partition_t *esp_partition_find_first(
	esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label)
{
	loadPartitions();
	for (uint32_t i = 0; i < gPartitionCount; i++) {
		const esp_partition_t *partition = &gPartitions[i];
		if (ESP_PARTITION_TYPE_ANY != type && partition->type != type)
			continue;
		if (ESP_PARTITION_SUBTYPE_ANY != subtype && partition->subtype != subtype)
			continue;
		if (label && 0 != strcmp(label, partition->label))
			continue;
		return partition;
	}
	return NULL;
}

static esp_err_t checkRange(const esp_partition_t *partition, size_t offset, size_t size)
{
	if (offset > partition->size)
		return ESP_ERR_INVALID_ARG;
	return size > partition->size - offset ? ESP_ERR_INVALID_SIZE : ESP_OK;
}

static esp_err_t asError(int result)
{
	return 0 == result ? ESP_OK : ESP_ERR_FLASH_OP_FAIL;
}

esp_err_t esp_partition_read_raw(const esp_partition_t *partition, size_t src_offset, void *dst, size_t size)
{
	esp_err_t err = checkRange(partition, src_offset, size);
	if (ESP_OK != err)
		return err;
	return asError(chip_flash_read(partition->address + (uint32_t)src_offset, dst, (uint32_t)size));
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t src_offset, void *dst, size_t size)
{
	return esp_partition_read_raw(partition, src_offset, dst, size);
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t dst_offset, const void *src, size_t size)
{
	if (partition->readonly)
		return ESP_ERR_NOT_ALLOWED;
	esp_err_t err = checkRange(partition, dst_offset, size);
	if (ESP_OK != err)
		return err;
	return asError(chip_flash_program(partition->address + (uint32_t)dst_offset, src, (uint32_t)size));
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
	if (partition->readonly)
		return ESP_ERR_NOT_ALLOWED;
	esp_err_t err = checkRange(partition, offset, size);
	if (ESP_OK != err)
		return err;
	if (size % CHIP_SECTOR_BYTES)
		return ESP_ERR_INVALID_SIZE;
	if (offset % CHIP_SECTOR_BYTES)
		return ESP_ERR_INVALID_ARG;
	return asError(chip_flash_erase(partition->address + (uint32_t)offset, (uint32_t)size));
}
