/*
 * esp_ota_*: as ESP-IDF 6.0 with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE does it: the same
 * refusals, and the same sectors erased and written in the same order, so that a cut at
 * any operation leaves what it would leave on the chip. Called by src/native alone.
 */

#include "app_update/include/esp_ota_ops.h"

#include <string.h>

#include "bootloader_common.h"
#include "chip.h"
#include "esp_image_format.h"
#include "esp_system.h"

static const esp_partition_t *findApp(uint32_t subtype)
{
	return esp_partition_find_first(ESP_PARTITION_TYPE_APP, (esp_partition_subtype_t)subtype, NULL);
}

static const esp_partition_t *findSlot(uint32_t slot)
{
	return findApp(ESP_PARTITION_SUBTYPE_APP_OTA_MIN + slot);
}

static const esp_partition_t *readOtadata(esp_ota_select_entry_t *entries)
{
	const esp_partition_t *otadata =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
	if (!otadata)
		return NULL;
	for (uint32_t i = 0; i < 2; i++) {
		if (ESP_OK != esp_partition_read(otadata, i * otadata->erase_size, &entries[i], sizeof(entries[i])))
			return NULL;
	}
	return otadata;
}

static bool isImageValid(const esp_partition_t *partition)
{
	esp_image_metadata_t image;
	const esp_partition_pos_t position = { partition->address, partition->size };
	return ESP_OK == esp_image_verify(ESP_IMAGE_VERIFY, &position, &image);
}

/* Erase, then write: in between there is no record. seq_label stays as it was read. */
static esp_err_t rewriteRecord(
	const esp_partition_t *otadata, esp_ota_select_entry_t *entries, uint32_t index, uint32_t sequence)
{
	esp_ota_select_entry_t *entry = &entries[index];
	entry->ota_seq = sequence;
	entry->crc = bootloader_common_ota_select_crc(entry);
	esp_err_t err = esp_partition_erase_range(otadata, index * otadata->erase_size, otadata->erase_size);
	if (ESP_OK != err)
		return err;
	return esp_partition_write(otadata, index * otadata->erase_size, entry, sizeof(*entry));
}

uint8_t esp_ota_get_app_partition_count(void)
{
	uint8_t count = 0;
	while (count < 16 && findSlot(count))
		count++;
	return count;
}

/* The smallest number from `current` on under which the bootloader takes `slot`. */
static uint32_t sequenceFor(uint32_t current, uint32_t slot, uint32_t slotCount)
{
	uint32_t sequence = (slot + 1) % slotCount;
	while (current > sequence)
		sequence += slotCount;
	return sequence;
}

static esp_err_t selectSlot(uint32_t slot)
{
	esp_ota_select_entry_t entries[2];
	const esp_partition_t *otadata = readOtadata(entries);
	uint32_t slotCount = esp_ota_get_app_partition_count();
	if (!otadata)
		return ESP_ERR_NOT_FOUND;
	if (slot >= slotCount)
		return ESP_ERR_INVALID_ARG;
	uint32_t index = 0;
	uint32_t sequence = slot + 1;
	int active = bootloader_common_get_active_otadata(entries);
	if (active >= 0) {
		uint32_t current = entries[active].ota_seq;
		bool isSame = (current - 1) % slotCount == slot;
		index = isSame ? (uint32_t)active : 1 - (uint32_t)active;
		sequence = isSame ? current : sequenceFor(current, slot, slotCount);
	}
	entries[index].ota_state = ESP_OTA_IMG_NEW;
	return rewriteRecord(otadata, entries, index, sequence);
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
	if (!partition)
		return ESP_ERR_INVALID_ARG;
	if (!isImageValid(partition))
		return ESP_ERR_OTA_VALIDATE_FAILED;
	if (ESP_PARTITION_TYPE_APP != partition->type)
		return ESP_ERR_INVALID_ARG;
	if (ESP_PARTITION_SUBTYPE_APP_FACTORY != partition->subtype)
		return selectSlot(partition->subtype & PART_SUBTYPE_OTA_MASK);
	const esp_partition_t *otadata =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
	return otadata ? esp_partition_erase_range(otadata, 0, otadata->size) : ESP_ERR_NOT_FOUND;
}

static const esp_partition_t *findDefault(void)
{
	const esp_partition_t *partition = findApp(ESP_PARTITION_SUBTYPE_APP_FACTORY);
	for (uint32_t slot = 0; !partition && slot < 16; slot++)
		partition = findSlot(slot);
	return partition ? partition : findApp(ESP_PARTITION_SUBTYPE_APP_TEST);
}

const esp_partition_t *esp_ota_get_boot_partition(void)
{
	esp_ota_select_entry_t entries[2];
	if (!readOtadata(entries))
		return NULL;
	uint32_t slotCount = esp_ota_get_app_partition_count();
	int active = bootloader_common_get_active_otadata(entries);
	if (active < 0 || 0 == slotCount)
		return findDefault();
	return findSlot((entries[active].ota_seq - 1) % slotCount);
}

/* On the chip: the partition this very code was mapped from. Here: the one the bootloader chose. */
const esp_partition_t *esp_ota_get_running_partition(void)
{
	return esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_ANY, chip->booted.label);
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from)
{
	const esp_partition_t *start = start_from ? start_from : esp_ota_get_running_partition();
	const esp_partition_t *first = NULL;
	bool isNext = false;
	for (uint32_t slot = 0; slot < 16; slot++) {
		const esp_partition_t *partition = findSlot(slot);
		if (!partition)
			continue;
		if (isNext)
			return partition;
		if (!first)
			first = partition;
		isNext = partition == start;
	}
	return first;
}

esp_err_t esp_ota_get_partition_description(const esp_partition_t *partition, esp_app_desc_t *app_desc)
{
	if (!partition || !app_desc)
		return ESP_ERR_INVALID_ARG;
	if (ESP_PARTITION_TYPE_APP != partition->type)
		return ESP_ERR_NOT_SUPPORTED;
	esp_err_t err = esp_partition_read(partition,
		sizeof(esp_image_header_t) + sizeof(esp_image_segment_header_t), app_desc, sizeof(*app_desc));
	if (ESP_OK != err)
		return err;
	return ESP_APP_DESC_MAGIC_WORD == app_desc->magic_word ? ESP_OK : ESP_ERR_NOT_FOUND;
}

bool esp_ota_check_rollback_is_possible(void)
{
	esp_ota_select_entry_t entries[2];
	uint32_t slotCount = esp_ota_get_app_partition_count();
	if (!readOtadata(entries) || 0 == slotCount)
		return false;
	int active = bootloader_common_get_active_otadata(entries);
	if (active < 0)
		return false;
	const esp_ota_select_entry_t *other = &entries[1 - active];
	const esp_partition_t *partition = bootloader_common_ota_select_valid(other)
		? findSlot((other->ota_seq - 1) % slotCount)
		: findApp(ESP_PARTITION_SUBTYPE_APP_FACTORY);
	return partition && isImageValid(partition);
}

esp_err_t esp_ota_mark_app_valid_cancel_rollback(void)
{
	esp_ota_select_entry_t entries[2];
	const esp_partition_t *otadata = readOtadata(entries);
	if (!otadata)
		return ESP_ERR_NOT_FOUND;
	int active = bootloader_common_get_active_otadata(entries);
	if (active < 0)
		return ESP_FAIL;
	if (ESP_OTA_IMG_VALID == entries[active].ota_state)
		return ESP_OK;
	entries[active].ota_state = ESP_OTA_IMG_VALID;
	return rewriteRecord(otadata, entries, (uint32_t)active, entries[active].ota_seq);
}

esp_err_t esp_ota_mark_app_invalid_rollback_and_reboot(void)
{
	esp_ota_select_entry_t entries[2];
	const esp_partition_t *otadata = readOtadata(entries);
	if (!otadata)
		return ESP_ERR_NOT_FOUND;
	int active = bootloader_common_get_active_otadata(entries);
	if (active < 0)
		return ESP_FAIL;
	if (!esp_ota_check_rollback_is_possible())
		return ESP_ERR_OTA_ROLLBACK_FAILED;
	entries[active].ota_state = ESP_OTA_IMG_INVALID;
	esp_err_t err = rewriteRecord(otadata, entries, (uint32_t)active, entries[active].ota_seq);
	if (ESP_OK != err)
		return err;
	esp_restart();
}
