/* See fota-otadata.h. */

#include "fota-otadata.h"

#include <stddef.h>
#include <string.h>

#include "bootloader_common.h"
#include "app_update/include/esp_ota_ops.h"

/*
 * Above this sequence number the records begin anew. esp_ota_set_boot_partition counts up
 * to the number in a loop and lets it run into 0xFFFFFFFF, which means "no record"; only a
 * forged or freakish record is ever that high (flash wears out at 100,000 updates).
 */
#define FOTA_SEQUENCE_MAX 1000000u

const esp_partition_t *fotaSlotPartition(int slot)
{
	if (FOTA_SLOT_FACTORY == slot)
		return esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_APP_FACTORY, NULL);
	if (slot < 0 || slot > 15)
		return NULL;
	return esp_partition_find_first(ESP_PARTITION_TYPE_APP, ESP_PARTITION_SUBTYPE_OTA(slot), NULL);
}

static int runningSlot(void)
{
	const esp_partition_t *partition = esp_ota_get_running_partition();
	if (partition && partition->subtype >= ESP_PARTITION_SUBTYPE_APP_OTA_MIN
			&& partition->subtype < ESP_PARTITION_SUBTYPE_APP_OTA_MAX)
		return (int)partition->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_MIN;
	return FOTA_SLOT_FACTORY;
}

esp_err_t fotaOtadataRead(FotaOtadata otadata)
{
	const esp_partition_t *partition =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_OTA, NULL);
	if (!partition || partition->size < 2 * partition->erase_size)
		return ESP_ERR_NOT_FOUND;
	otadata->partition = partition;
	otadata->slotCount = esp_ota_get_app_partition_count();
	if (0 == otadata->slotCount)
		return ESP_ERR_NOT_FOUND;
	for (uint32_t i = 0; i < 2; i++) {
		esp_err_t err = esp_partition_read(partition, i * partition->erase_size, &otadata->entry[i],
			sizeof(otadata->entry[i]));
		if (ESP_OK != err)
			return err;
	}
	otadata->running = runningSlot();
	otadata->active = bootloader_common_get_active_otadata(otadata->entry);
	return ESP_OK;
}

/* Slot a sound record names, whatever its state. */
static int namedSlot(const FotaOtadataRecord *otadata, int index)
{
	const esp_ota_select_entry_t *entry = &otadata->entry[index];
	if (UINT32_MAX == entry->ota_seq || entry->crc != bootloader_common_ota_select_crc(entry))
		return FOTA_SLOT_NONE;
	return (int)((entry->ota_seq - 1) % (uint32_t)otadata->slotCount);
}

int fotaOtadataSlot(const FotaOtadataRecord *otadata, int index)
{
	uint32_t state = otadata->entry[index].ota_state;
	if (ESP_OTA_IMG_INVALID == state || ESP_OTA_IMG_ABORTED == state)
		return FOTA_SLOT_NONE;
	return namedSlot(otadata, index);
}

int fotaOtadataIndex(const FotaOtadataRecord *otadata, int slot)
{
	int found = -1;
	for (int i = 0; i < 2; i++) {
		if (namedSlot(otadata, i) != slot)
			continue;
		if (found < 0 || otadata->entry[i].ota_seq > otadata->entry[found].ota_seq)
			found = i;
	}
	return found;
}

/* An image beside the running one: in factory, or confirmed in another slot. */
static bool hasWayBack(const FotaOtadataRecord *otadata)
{
	int other = 1 - otadata->active;
	if (fotaSlotPartition(FOTA_SLOT_FACTORY))
		return true;
	return ESP_OTA_IMG_VALID == otadata->entry[other].ota_state
		&& FOTA_SLOT_NONE != namedSlot(otadata, other)
		&& namedSlot(otadata, other) != otadata->running;
}

/* Whether we meant the record to be VALID. Encrypted flash takes no mark, and no record that was cut off has a CRC there. */
static bool isMarkedKept(const FotaOtadataRecord *otadata)
{
	uint32_t kept;
	memcpy(&kept, otadata->entry[otadata->active].seq_label + FOTA_KEPT_OFFSET, sizeof(kept));
	return otadata->partition->encrypted || 0 == kept;
}

/*
 * A record without a state is one from before rollback was known, or made by a tool. Or
 * power failed while it was written, or while the bootloader erased it to change its state:
 * flash may then hold its number and CRC, and of NEW, all zeros, no bit, or all but the one
 * that makes it VALID. Where there is a way back such a record is a trial, unless, VALID, it
 * has the mark that is written only when it shall be.
 */
bool fotaOtadataIsOnTrial(const FotaOtadataRecord *otadata)
{
	if (otadata->active < 0 || fotaOtadataSlot(otadata, otadata->active) != otadata->running)
		return false;
	switch (otadata->entry[otadata->active].ota_state) {
		case ESP_OTA_IMG_UNDEFINED:
			return hasWayBack(otadata);
		case ESP_OTA_IMG_VALID:
			return hasWayBack(otadata) && !isMarkedKept(otadata);
		default:
			return true;
	}
}

static bool isBlank(const esp_ota_select_entry_t *entry)
{
	const uint8_t *bytes = (const uint8_t *)entry;
	for (size_t i = 0; i < sizeof(*entry); i++) {
		if (0xFF != bytes[i])
			return false;
	}
	return true;
}

/*
 * Power that fails in an erase may leave a record whose sequence number and CRC are still
 * whole while bits of its state have risen; power that fails while it is overwritten may
 * leave one whose state has lost bits. Either way a given-up image would be followed again:
 * ABORTED 4 is one bit from NEW, INVALID 3 from VALID 2. So its CRC goes first, alone, then
 * the rest; then no half-erased remainder has a CRC. Whatever is not blank is overwritten:
 * half a CRC could rise again.
 */
static esp_err_t overwriteRecord(FotaOtadata otadata, int index)
{
	static const esp_ota_select_entry_t zeros;
	const esp_partition_t *partition = otadata->partition;
	uint32_t offset = (uint32_t)index * partition->erase_size;
	/* Encrypted flash is written in blocks of 16 bytes: the last has the CRC, and half of it decrypts to nothing sound. */
	uint32_t crcSize = partition->encrypted ? 16 : sizeof(zeros.crc);
	esp_err_t err = esp_partition_write(partition, offset + sizeof(zeros) - crcSize, &zeros, crcSize);
	if (ESP_OK == err)
		err = esp_partition_write(partition, offset, &zeros, sizeof(zeros) - crcSize);
	return err;
}

esp_err_t fotaOtadataErase(FotaOtadata otadata, int index)
{
	const esp_partition_t *partition = otadata->partition;
	uint32_t offset = (uint32_t)index * partition->erase_size;
	esp_err_t err = ESP_OK;
	if (!isBlank(&otadata->entry[index]))
		err = overwriteRecord(otadata, index);
	if (ESP_OK == err)
		err = esp_partition_erase_range(partition, offset, partition->erase_size);
	if (ESP_OK == err)
		memset(&otadata->entry[index], 0xFF, sizeof(otadata->entry[index]));
	return err;
}

static esp_err_t eraseRecord(FotaOtadata otadata, int index)
{
	return isBlank(&otadata->entry[index]) ? ESP_OK : fotaOtadataErase(otadata, index);
}

/* A mark that only a record which is to be VALID gets: programmed before the bootloader's state is. */
esp_err_t fotaOtadataMarkKept(FotaOtadata otadata)
{
	static const uint32_t zero;
	const esp_partition_t *partition = otadata->partition;
	uint32_t offset = (uint32_t)otadata->active * partition->erase_size;
	if (partition->encrypted)
		return ESP_OK;
	return esp_partition_write(partition,
		offset + offsetof(esp_ota_select_entry_t, seq_label) + FOTA_KEPT_OFFSET, &zero, sizeof(zero));
}

/*
 * Erases even what looks blank: the rest of an interrupted erase may lie behind the 32
 * bytes. The CRC comes last, so that a torn record is no record.
 */
static esp_err_t writeRecord(FotaOtadata otadata, int index, uint32_t sequence)
{
	const esp_partition_t *partition = otadata->partition;
	uint32_t offset = (uint32_t)index * partition->erase_size;
	esp_ota_select_entry_t entry;
	memset(&entry, 0xFF, sizeof(entry));
	memset(entry.seq_label + FOTA_KEPT_OFFSET, 0, FOTA_KEPT_BYTES);
	entry.ota_seq = sequence;
	entry.ota_state = ESP_OTA_IMG_VALID;
	entry.crc = bootloader_common_ota_select_crc(&entry);
	esp_err_t err = fotaOtadataErase(otadata, index);
	if (ESP_OK == err)
		err = esp_partition_write(partition, offset, &entry, sizeof(entry));
	if (ESP_OK == err)
		otadata->entry[index] = entry;
	return err;
}

/*
 * A record of the running slot that can stay as it is; -1 if there is none. One without a
 * state cannot: beside it, a torn one without a state would not be known as torn.
 */
static int findKeeper(const FotaOtadataRecord *otadata)
{
	int keeper = -1;
	for (int i = 0; i < 2; i++) {
		const esp_ota_select_entry_t *entry = &otadata->entry[i];
		if (fotaOtadataSlot(otadata, i) != otadata->running || entry->ota_seq > FOTA_SEQUENCE_MAX)
			continue;
		if (ESP_OTA_IMG_VALID != entry->ota_state)
			continue;
		if (keeper < 0 || entry->ota_seq > otadata->entry[keeper].ota_seq)
			keeper = i;
	}
	return keeper;
}

/*
 * The running image has no good record: the bootloader fell back to it, past a damaged
 * image or damaged records. Gives it one, in the sector whose loss matters least.
 */
static esp_err_t makeKeeper(FotaOtadata otadata, int *keeper)
{
	int index = 0;
	if (fotaOtadataSlot(otadata, 0) == otadata->running)
		index = 1;
	else if (fotaOtadataSlot(otadata, 1) != otadata->running && otadata->active >= 0)
		index = 1 - otadata->active;
	*keeper = index;
	return writeRecord(otadata, index, (uint32_t)otadata->running + 1);
}

esp_err_t fotaOtadataKeepRunning(FotaOtadata otadata)
{
	esp_err_t err = ESP_OK;
	if (FOTA_SLOT_FACTORY == otadata->running) {
		int last = otadata->active < 0 ? 0 : otadata->active;
		err = eraseRecord(otadata, 1 - last);
		if (ESP_OK == err)
			err = eraseRecord(otadata, last);
	}
	else {
		int keeper = findKeeper(otadata);
		if (keeper < 0)
			err = makeKeeper(otadata, &keeper);
		if (ESP_OK == err)
			err = eraseRecord(otadata, 1 - keeper);
	}
	otadata->active = bootloader_common_get_active_otadata(otadata->entry);
	return err;
}
