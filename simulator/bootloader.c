/* See bootloader.h. */

#include "bootloader.h"

#include <string.h>

#include "chip.h"
#include "esp-idf/idf-partition-table.h"
#include "bootloader_common.h"
#include "esp_app_desc.h"
#include "esp_image_format.h"

#define SLOTS_MAX 16
#define INDEX_FACTORY (-1)

/* The partitions that matter here, as the table names them. */
struct Table {
	esp_partition_pos_t otadata;
	esp_partition_pos_t factory;
	esp_partition_pos_t ota[SLOTS_MAX];
	const uint8_t *factoryLabel;
	const uint8_t *otaLabel[SLOTS_MAX];
	int slotCount;
};

bool bootloader_has_rollback = true;

static void addApp(struct Table *table, const esp_partition_info_t *row)
{
	if (PART_SUBTYPE_FACTORY == row->subtype) {
		table->factory = row->pos;
		table->factoryLabel = row->label;
	}
	else if (PART_SUBTYPE_OTA_FLAG == (row->subtype & ~PART_SUBTYPE_OTA_MASK)) {
		int slot = row->subtype & PART_SUBTYPE_OTA_MASK;
		table->ota[slot] = row->pos;
		table->otaLabel[slot] = row->label;
		table->slotCount++;
	}
}

static bool readTable(struct Table *table)
{
	uint32_t count;
	const esp_partition_info_t *rows = idf_partition_table(&count);
	memset(table, 0, sizeof(*table));
	if (!rows)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (PART_TYPE_APP == rows[i].type)
			addApp(table, &rows[i]);
		else if (PART_TYPE_DATA == rows[i].type && PART_SUBTYPE_DATA_OTA == rows[i].subtype)
			table->otadata = rows[i].pos;
	}
	return true;
}

static uint32_t recordOffset(const struct Table *table, int index)
{
	return table->otadata.offset + (uint32_t)index * CHIP_SECTOR_BYTES;
}

/* Two operations of the flash: erase, then write. A failure is logged, as there, and that is all. */
static void writeRecord(const struct Table *table, int index, const esp_ota_select_entry_t *entry)
{
	uint32_t offset = recordOffset(table, index);
	if (0 != chip_flash_erase(offset, CHIP_SECTOR_BYTES) || 0 != chip_flash_program(offset, entry, sizeof(*entry)))
		chip_log("boot", "error in write_otadata operation");
}

static void setState(const struct Table *table, esp_ota_select_entry_t *entries, int index, uint32_t state)
{
	entries[index].ota_state = state;
	writeRecord(table, index, &entries[index]);
}

static bool isInitial(const esp_ota_select_entry_t *entry)
{
	return UINT32_MAX == entry->ota_seq || entry->crc != bootloader_common_ota_select_crc(entry);
}

/* A trial whose boot was not confirmed is over. ESP-IDF looks at the state alone, CRC or not. */
static void endTrials(const struct Table *table, esp_ota_select_entry_t *entries)
{
	for (int i = 0; bootloader_has_rollback && i < 2; i++) {
		if (ESP_OTA_IMG_PENDING_VERIFY == entries[i].ota_state) {
			chip_log("boot", "otadata[%d] is marked ABORTED", i);
			setState(table, entries, i, ESP_OTA_IMG_ABORTED);
		}
	}
}

/*
 * Which image to try first: INDEX_FACTORY or a slot. *needsRecord: there is no factory and
 * no sound record, so the slot that boots gets one.
 */
static int selectIndex(const struct Table *table, bool *needsRecord)
{
	esp_ota_select_entry_t entries[2];
	*needsRecord = false;
	if (0 == table->otadata.offset || table->otadata.size < 2 * CHIP_SECTOR_BYTES)
		return INDEX_FACTORY;
	for (int i = 0; i < 2; i++) {
		if (0 != chip_flash_read(recordOffset(table, i), &entries[i], sizeof(entries[i])))
			return INDEX_FACTORY;
	}
	endTrials(table, entries);
	bool areInvalid = bootloader_common_ota_select_invalid(&entries[0])
		&& bootloader_common_ota_select_invalid(&entries[1]);
	if (areInvalid || 0 == table->slotCount) {
		if (table->factory.offset) {
			chip_log("boot", "Defaulting to factory image");
			return INDEX_FACTORY;
		}
		chip_log("boot", "No factory image, trying OTA 0");
		*needsRecord = isInitial(&entries[0]) && isInitial(&entries[1]);
		return 0;
	}
	int active = bootloader_common_get_active_otadata(entries);
	if (active < 0) {
		chip_log("boot", "ota data partition invalid, %s",
			table->factory.offset ? "falling back to factory" : "will try all partitions");
		return INDEX_FACTORY;
	}
	if (bootloader_has_rollback && ESP_OTA_IMG_NEW == entries[active].ota_state)
		setState(table, entries, active, ESP_OTA_IMG_PENDING_VERIFY);
	return (int)((entries[active].ota_seq - 1) % (uint32_t)table->slotCount);
}

static void fillBooted(const esp_image_metadata_t *image, const esp_partition_pos_t *part, const uint8_t *label)
{
	struct chip_booted *booted = &chip->booted;
	esp_app_desc_t description = { 0 };
	memset(booted, 0, sizeof(*booted));
	booted->slot_offset = part->offset;
	booted->slot_bytes = part->size;
	memcpy(booted->label, label, sizeof(booted->label) - 1);
	if (image->image.segment_count < 1 || image->segments[0].data_len < sizeof(description))
		return;
	chip_flash_read(image->segment_data[0], &description, sizeof(description));
	if (ESP_APP_DESC_MAGIC_WORD != description.magic_word)
		return;
	booted->payload_offset = image->segment_data[0] + (uint32_t)sizeof(description);
	booted->payload_bytes = image->segments[0].data_len - (uint32_t)sizeof(description);
}

static bool tryIndex(const struct Table *table, int index)
{
	esp_image_metadata_t image;
	const esp_partition_pos_t *part = INDEX_FACTORY == index ? &table->factory : &table->ota[index];
	if (0 == part->size)
		return false;
	if (ESP_OK == esp_image_verify(ESP_IMAGE_VERIFY, part, &image)) {
		fillBooted(&image, part, INDEX_FACTORY == index ? table->factoryLabel : table->otaLabel[index]);
		return true;
	}
	if (INDEX_FACTORY == index)
		chip_log("boot", "Factory app partition is not bootable");
	else
		chip_log("boot", "OTA app partition slot %d is not bootable", index);
	return false;
}

/* From the selected one down to factory, then from the selected one up. */
static bool tryAll(const struct Table *table, int selected, int *index)
{
	for (*index = selected; *index >= INDEX_FACTORY; (*index)--) {
		if (tryIndex(table, *index))
			return true;
	}
	for (*index = selected + 1; *index < table->slotCount; (*index)++) {
		if (tryIndex(table, *index))
			return true;
	}
	return false;
}

int bootloader_select(void)
{
	struct Table table;
	bool needsRecord;
	int index;
	if (!readTable(&table)) {
		chip_log("boot", "Failed to verify partition table");
		return -1;
	}
	int selected = selectIndex(&table, &needsRecord);
	if (!tryAll(&table, selected, &index)) {
		chip_log("boot", "No bootable app partitions in the partition table");
		return -1;
	}
	if (needsRecord && index > INDEX_FACTORY) {
		esp_ota_select_entry_t entry;
		memset(&entry, 0xFF, sizeof(entry));
		entry.ota_seq = (uint32_t)index + 1;
		entry.ota_state = ESP_OTA_IMG_VALID;
		entry.crc = bootloader_common_ota_select_crc(&entry);
		writeRecord(&table, 0, &entry);
	}
	chip_log("boot", "Loaded app from partition at offset 0x%x", (unsigned)chip->booted.slot_offset);
	return 0;
}
