/*
 * C side of fota-flash.ts, the other half: which slot boots, whether it is on trial,
 * confirming it and going back. Over esp_ota_ops and the boot records. No state.
 */

#include "fota-native.h"
#include "fota-otadata.h"
#include "fota-trial.h"

#include "esp_image_format.h"
#include "app_update/include/esp_ota_ops.h"

static void readOtadata(xsMachine *the, FotaOtadata otadata)
{
	fotaThrowIf(the, fotaOtadataRead(otadata));
}

/* Reads the records for a call that would change the way back: not during a trial. */
static void readFreeOtadata(xsMachine *the, FotaOtadata otadata, int slot)
{
	readOtadata(the, otadata);
	if (slot == otadata->running)
		fotaThrowIf(the, ESP_ERR_OTA_PARTITION_CONFLICT);
	if (fotaOtadataIsOnTrial(otadata))
		fotaThrowIf(the, ESP_ERR_OTA_ROLLBACK_INVALID_STATE);
}

static int slotOf(const esp_partition_t *partition)
{
	if (partition && partition->subtype >= ESP_PARTITION_SUBTYPE_APP_OTA_MIN
			&& partition->subtype < ESP_PARTITION_SUBTYPE_APP_OTA_MAX)
		return (int)partition->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_MIN;
	return FOTA_SLOT_FACTORY;
}

static bool isFactoryGood(void)
{
	esp_image_metadata_t image;
	const esp_partition_t *partition = fotaSlotPartition(FOTA_SLOT_FACTORY);
	if (!partition)
		return false;
	const esp_partition_pos_t position = { .offset = partition->address, .size = partition->size };
	return ESP_OK == esp_image_verify(ESP_IMAGE_VERIFY_SILENT, &position, &image);
}

/* The record of the slot in the argument; -1 if it has none. */
static int toIndex(xsMachine *the, FotaOtadata otadata)
{
	fotaNeedArguments(the, 1);
	int slot = (int)fotaToWhole(the, &xsArg(0), FOTA_SLOT_FACTORY, 15);
	readOtadata(the, otadata);
	return fotaOtadataIndex(otadata, slot);
}

void xs_fota_flash_running(xsMachine *the)
{
	xsmcSetInteger(xsResult, slotOf(esp_ota_get_running_partition()));
}

void xs_fota_flash_boot(xsMachine *the)
{
	xsmcSetInteger(xsResult, slotOf(esp_ota_get_boot_partition()));
}

void xs_fota_flash_next(xsMachine *the)
{
	const esp_partition_t *partition = esp_ota_get_next_update_partition(NULL);
	if (!partition || partition == esp_ota_get_running_partition())
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	xsmcSetInteger(xsResult, slotOf(partition));
}

void xs_fota_flash_state(xsMachine *the)
{
	FotaOtadataRecord otadata;
	int index = toIndex(the, &otadata);
	xsmcSetNumber(xsResult, index < 0 ? (double)UINT32_MAX : (double)otadata.entry[index].ota_state);
}

void xs_fota_flash_prepare(xsMachine *the)
{
	FotaOtadataRecord otadata;
	fotaNeedArguments(the, 1);
	int slot = (int)fotaToWhole(the, &xsArg(0), 0, 15);
	if (!fotaSlotPartition(slot))
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	readFreeOtadata(the, &otadata, slot);
	fotaThrowIf(the, fotaOtadataKeepRunning(&otadata));
}

/*
 * The records are cleared first so that esp_ota_set_boot_partition writes into an empty
 * sector: it keeps the seq_label it finds there, with a spent counter in it.
 */
void xs_fota_flash_activate(xsMachine *the)
{
	FotaOtadataRecord otadata;
	fotaNeedArguments(the, 1);
	int slot = (int)fotaToWhole(the, &xsArg(0), 0, 15);
	const esp_partition_t *partition = fotaSlotPartition(slot);
	if (!partition)
		fotaThrowIf(the, ESP_ERR_NOT_FOUND);
	readFreeOtadata(the, &otadata, slot);
	fotaThrowIf(the, fotaOtadataKeepRunning(&otadata));
	fotaThrowIf(the, esp_ota_set_boot_partition(partition));
}

/*
 * A confirmed record is not written again: its erase would be a moment without it. The mark
 * comes first; esp_ota_ops reads the record again and keeps it.
 */
void xs_fota_flash_confirm(xsMachine *the)
{
	FotaOtadataRecord otadata;
	readOtadata(the, &otadata);
	if (fotaOtadataIsOnTrial(&otadata)) {
		fotaThrowIf(the, fotaOtadataMarkKept(&otadata));
		fotaThrowIf(the, esp_ota_mark_app_valid_cancel_rollback());
	}
	else if (otadata.active >= 0 && fotaOtadataSlot(&otadata, otadata.active) != otadata.running)
		fotaThrowIf(the, ESP_ERR_INVALID_STATE);
}

void xs_fota_flash_canRollBack(xsMachine *the)
{
	FotaOtadataRecord otadata;
	readOtadata(the, &otadata);
	bool isRunningActive =
		otadata.active >= 0 && fotaOtadataSlot(&otadata, otadata.active) == otadata.running;
	xsmcSetBoolean(xsResult, isRunningActive && (esp_ota_check_rollback_is_possible() || isFactoryGood()));
}

/*
 * Into factory: without the other record the bootloader, once ours is INVALID, has none to
 * follow and takes factory. A cut before that leaves ours alone: the image goes on.
 */
void xs_fota_flash_rollBack(xsMachine *the)
{
	FotaOtadataRecord otadata;
	fotaNeedArguments(the, 1);
	bool preferFactory = xsmcToBoolean(xsArg(0));
	readOtadata(the, &otadata);
	if (otadata.active < 0 || fotaOtadataSlot(&otadata, otadata.active) != otadata.running)
		fotaThrowIf(the, ESP_ERR_OTA_ROLLBACK_FAILED);
	bool toFactory = (preferFactory || !esp_ota_check_rollback_is_possible()) && isFactoryGood();
	if (toFactory)
		fotaThrowIf(the, fotaOtadataErase(&otadata, 1 - otadata.active));
	fotaThrowIf(the, esp_ota_mark_app_invalid_rollback_and_reboot());
}

void xs_fota_flash_isOnTrial(xsMachine *the)
{
	FotaOtadataRecord otadata;
	readOtadata(the, &otadata);
	xsmcSetBoolean(xsResult, fotaOtadataIsOnTrial(&otadata));
}

void xs_fota_flash_trialBoots(xsMachine *the)
{
	FotaOtadataRecord otadata;
	int index = toIndex(the, &otadata);
	xsmcSetInteger(xsResult, index < 0 ? 0 : (xsIntegerValue)fotaTrialBoots(&otadata, index));
}

void xs_fota_flash_trialPowerBoots(xsMachine *the)
{
	FotaOtadataRecord otadata;
	int index = toIndex(the, &otadata);
	xsmcSetInteger(xsResult, index < 0 ? 0 : (xsIntegerValue)fotaTrialPowerBoots(&otadata, index));
}

void xs_fota_flash_trialBootsMax(xsMachine *the)
{
	FotaOtadataRecord otadata;
	readOtadata(the, &otadata);
	xsmcSetInteger(xsResult, (xsIntegerValue)fotaTrialBootsMax(&otadata));
}

void xs_fota_flash_hasBootloaderRollback(xsMachine *the)
{
	xsmcSetBoolean(xsResult, fotaTrialHasBootloaderRollback());
}
