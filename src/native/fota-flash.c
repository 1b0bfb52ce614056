/*
 * C side of fota-flash.ts, geometry and bytes: slots and our own data partitions over
 * esp_partition. What decides which slot boots is fota-boot.c. No state.
 *
 * The manifest lists fota-flash (.ts and .c) together with fota-boot.c, fota-otadata.c
 * and fota-trial.c.
 */

#include "fota-native.h"
#include "fota-otadata.h"

#include "esp_image_format.h"
#include "app_update/include/esp_ota_ops.h"

#define DATA_LABEL_SIZE 17	/* 16 characters and the terminator, as in esp_partition_t */
#define DATA_SUBTYPE_CUSTOM_FIRST 0x40
#define DATA_SUBTYPE_CUSTOM_LAST 0x7F

static const esp_partition_t *toSlot(xsMachine *the, xsSlot *slot)
{
	const esp_partition_t *partition = fotaSlotPartition((int)fotaToWhole(the, slot, FOTA_SLOT_FACTORY, 15));
	if (!partition)
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	return partition;
}

/*
 * A slot that may be erased and written now: not the one that runs, not one that a boot
 * record leads to, and none at all during a trial.
 */
static const esp_partition_t *toFreeSlot(xsMachine *the, xsSlot *slot)
{
	FotaOtadataRecord otadata;
	int index = (int)fotaToWhole(the, slot, 0, 15);
	const esp_partition_t *partition = fotaSlotPartition(index);
	if (!partition)
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	fotaThrowIf(the, fotaOtadataRead(&otadata));
	if (index == otadata.running || partition == esp_ota_get_running_partition())
		fotaThrowIf(the, ESP_ERR_OTA_PARTITION_CONFLICT);
	if (fotaOtadataIsOnTrial(&otadata))
		fotaThrowIf(the, ESP_ERR_OTA_ROLLBACK_INVALID_STATE);
	if (fotaOtadataSlot(&otadata, 0) == index || fotaOtadataSlot(&otadata, 1) == index)
		fotaThrowIf(the, ESP_ERR_INVALID_STATE);
	return partition;
}

/* Our own data only: never boot records, NVS, radio calibration or keys. */
static const esp_partition_t *toData(xsMachine *the, xsSlot *slot)
{
	char label[DATA_LABEL_SIZE];
	xsmcToStringBuffer(*slot, label, sizeof(label));
	const esp_partition_t *partition =
		esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
	if (!partition || (ESP_PARTITION_SUBTYPE_DATA_UNDEFINED != partition->subtype
			&& (partition->subtype < DATA_SUBTYPE_CUSTOM_FIRST
				|| partition->subtype > DATA_SUBTYPE_CUSTOM_LAST)))
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	return partition;
}

static void checkRange(xsMachine *the, const esp_partition_t *partition, uint32_t offset, uint32_t count)
{
	if (!fotaIsWithin(offset, count, partition->size))
		xsRangeError("outside the partition");
}

static void readBytes(xsMachine *the, const esp_partition_t *partition)
{
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t bufferOffset = fotaToUnsigned(the, &xsArg(3));
	uint32_t count = fotaToUnsigned(the, &xsArg(4));
	checkRange(the, partition, offset, count);
	uint8_t *bytes = fotaWritable(the, &xsArg(2), bufferOffset, count);
	fotaThrowIf(the, esp_partition_read(partition, offset, bytes, count));
}

static void writeBytes(xsMachine *the, const esp_partition_t *partition)
{
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t bufferOffset = fotaToUnsigned(the, &xsArg(3));
	uint32_t count = fotaToUnsigned(the, &xsArg(4));
	checkRange(the, partition, offset, count);
	uint8_t *bytes = fotaReadable(the, &xsArg(2), bufferOffset, count);
	fotaThrowIf(the, esp_partition_write(partition, offset, bytes, count));
}

static void eraseBytes(xsMachine *the, const esp_partition_t *partition)
{
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t count = fotaToUnsigned(the, &xsArg(2));
	checkRange(the, partition, offset, count);
	if (offset % partition->erase_size || count % partition->erase_size)
		xsRangeError("not whole sectors");
	fotaThrowIf(the, esp_partition_erase_range(partition, offset, count));
}

void xs_fota_flash_slotCount(xsMachine *the)
{
	xsmcSetInteger(xsResult, esp_ota_get_app_partition_count());
}

void xs_fota_flash_sizeBytes(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	xsmcSetNumber(xsResult, toSlot(the, &xsArg(0))->size);
}

void xs_fota_flash_label(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	xsmcSetString(xsResult, (char *)toSlot(the, &xsArg(0))->label);
}

void xs_fota_flash_read(xsMachine *the)
{
	fotaNeedArguments(the, 5);
	readBytes(the, toSlot(the, &xsArg(0)));
}

void xs_fota_flash_write(xsMachine *the)
{
	fotaNeedArguments(the, 5);
	writeBytes(the, toFreeSlot(the, &xsArg(0)));
}

void xs_fota_flash_erase(xsMachine *the)
{
	fotaNeedArguments(the, 3);
	eraseBytes(the, toFreeSlot(the, &xsArg(0)));
}

void xs_fota_flash_isErased(xsMachine *the)
{
	uint32_t words[64];
	fotaNeedArguments(the, 3);
	const esp_partition_t *partition = toSlot(the, &xsArg(0));
	uint32_t offset = fotaToUnsigned(the, &xsArg(1));
	uint32_t count = fotaToUnsigned(the, &xsArg(2));
	checkRange(the, partition, offset, count);
	xsmcSetFalse(xsResult);
	while (count > 0) {
		uint32_t use = count < sizeof(words) ? count : (uint32_t)sizeof(words);
		memset(words, 0xFF, sizeof(words));
		fotaThrowIf(the, esp_partition_read_raw(partition, offset, words, use));
		for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (UINT32_MAX != words[i])
				return;
		}
		offset += use;
		count -= use;
	}
	xsmcSetTrue(xsResult);
}

void xs_fota_flash_verify(xsMachine *the)
{
	esp_image_metadata_t image;
	fotaNeedArguments(the, 1);
	const esp_partition_t *partition = toSlot(the, &xsArg(0));
	const esp_partition_pos_t position = { .offset = partition->address, .size = partition->size };
	fotaThrowIf(the, esp_image_verify(ESP_IMAGE_VERIFY_SILENT, &position, &image));
	xsmcSetNumber(xsResult, image.image_len);
}

void xs_fota_flash_description(xsMachine *the)
{
	esp_app_desc_t description;
	uint8_t magic = 0;
	fotaNeedArguments(the, 2);
	const esp_partition_t *partition = toSlot(the, &xsArg(0));
	xsmcSetFalse(xsResult);
	fotaThrowIf(the, esp_partition_read(partition, 0, &magic, sizeof(magic)));
	if (ESP_IMAGE_HEADER_MAGIC != magic)
		return;
	esp_err_t err = esp_ota_get_partition_description(partition, &description);
	if (ESP_ERR_NOT_FOUND == err)
		return;
	fotaThrowIf(the, err);
	memcpy(fotaWritable(the, &xsArg(1), 0, sizeof(description)), &description, sizeof(description));
	xsmcSetTrue(xsResult);
}

void xs_fota_flash_dataSizeBytes(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	xsmcSetNumber(xsResult, toData(the, &xsArg(0))->size);
}

void xs_fota_flash_dataRead(xsMachine *the)
{
	fotaNeedArguments(the, 5);
	readBytes(the, toData(the, &xsArg(0)));
}

void xs_fota_flash_dataErase(xsMachine *the)
{
	fotaNeedArguments(the, 3);
	eraseBytes(the, toData(the, &xsArg(0)));
}

void xs_fota_flash_dataWrite(xsMachine *the)
{
	fotaNeedArguments(the, 5);
	writeBytes(the, toData(the, &xsArg(0)));
}
