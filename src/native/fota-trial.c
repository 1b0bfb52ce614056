/* See fota-trial.h. */

#include "fota-trial.h"

#include <stddef.h>
#include <string.h>

#include "esp_rom_sys.h"
#include "esp_system.h"
#include "esp_private/system_internal.h"

#define STATE_OFFSET offsetof(esp_ota_select_entry_t, ota_state)
#define BOOTS_OFFSET offsetof(esp_ota_select_entry_t, seq_label)
#define POWER_BOOTS_OFFSET (BOOTS_OFFSET + sizeof(uint32_t))
#define BARE_BOOTLOADER_OFFSET (BOOTS_OFFSET + 3 * sizeof(uint32_t))

static bool gBootloaderLacksRollback;

static uint32_t counterWord(const FotaOtadataRecord *otadata, int index, size_t offset)
{
	uint32_t word;
	memcpy(&word, (const uint8_t *)&otadata->entry[index] + offset, sizeof(word));
	return word;
}

static uint32_t clearedBits(uint32_t word)
{
	uint32_t count = 0;
	for (word = ~word; word; word &= word - 1)
		count++;
	return count;
}

/* Programs one word of the active record and reads it back: flash that does not take it must not count as done. */
static bool programWord(FotaOtadata otadata, size_t offset, uint32_t word)
{
	const esp_partition_t *partition = otadata->partition;
	uint32_t at = (uint32_t)otadata->active * partition->erase_size + (uint32_t)offset;
	uint32_t found = ~word;
	if (ESP_OK != esp_partition_write(partition, at, &word, sizeof(word)))
		return false;
	if (ESP_OK != esp_partition_read(partition, at, &found, sizeof(found)))
		return false;
	return found == word;
}

/*
 * ESP-IDF finds its reset reason in a constructor of its own, and constructors have no
 * order; if it has not run, its sources (ROM and the hint left by the brown-out handler)
 * are asked directly.
 */
static bool isAfterPowerLoss(void)
{
	switch (esp_reset_reason()) {
		case ESP_RST_POWERON:
		case ESP_RST_EXT:
		case ESP_RST_DEEPSLEEP:
		case ESP_RST_BROWNOUT:
		case ESP_RST_PWR_GLITCH:
			return true;
		case ESP_RST_UNKNOWN:
			break;
		default:
			return false;
	}
	soc_reset_reason_t reason = esp_rom_get_reset_reason(0);
	return RESET_REASON_CHIP_POWER_ON == reason || RESET_REASON_SYS_BROWN_OUT == reason
		|| RESET_REASON_CORE_DEEP_SLEEP == reason || ESP_RST_BROWNOUT == esp_reset_reason_get_hint();
}

/* Clears the next bit of the right counter. False if the start could not be counted. */
static bool countBoot(FotaOtadata otadata, uint32_t *boots)
{
	uint32_t word = counterWord(otadata, otadata->active, BOOTS_OFFSET);
	uint32_t powerWord = counterWord(otadata, otadata->active, POWER_BOOTS_OFFSET);
	*boots = clearedBits(word);
	if (*boots > 0 && clearedBits(powerWord) < FOTA_TRIAL_POWER_BOOTS && isAfterPowerLoss())
		return programWord(otadata, POWER_BOOTS_OFFSET, powerWord & (powerWord - 1));
	if (0 == word)
		return false;
	*boots += 1;
	return programWord(otadata, BOOTS_OFFSET, word & (word - 1));
}

/*
 * First the count, then the state: power that fails in between ends the trial, where the
 * other order would give a start for nothing, and with bad luck one after the other.
 * A state that nobody writes (see fota-otadata.h) always becomes NEW: that puts the image
 * back under the bootloader's eyes. Under flash encryption four bytes cannot be programmed;
 * the bootloader's one start stands.
 */
static void __attribute__((constructor)) beginTrial(void)
{
	FotaOtadataRecord otadata;
	uint32_t boots;
	if (ESP_OK != fotaOtadataRead(&otadata) || !fotaOtadataIsOnTrial(&otadata))
		return;
	uint32_t state = otadata.entry[otadata.active].ota_state;
	gBootloaderLacksRollback = ESP_OTA_IMG_NEW == state
		&& RESET_REASON_CORE_DEEP_SLEEP != esp_rom_get_reset_reason(0);	/* a wake-up may pass it by */
	if (otadata.partition->encrypted)
		return;
	if (gBootloaderLacksRollback)
		programWord(&otadata, BARE_BOOTLOADER_OFFSET, 0);
	bool isCounted = countBoot(&otadata, &boots);
	bool hasBootsLeft = isCounted && boots < FOTA_TRIAL_BOOTS;
	if (ESP_OTA_IMG_NEW != state && (hasBootsLeft || ESP_OTA_IMG_PENDING_VERIFY != state))
		programWord(&otadata, STATE_OFFSET, ESP_OTA_IMG_NEW);
}

uint32_t fotaTrialBoots(const FotaOtadataRecord *otadata, int index)
{
	if (otadata->partition->encrypted)
		return index == otadata->active && fotaOtadataIsOnTrial(otadata) ? 1 : 0;
	return clearedBits(counterWord(otadata, index, BOOTS_OFFSET));
}

uint32_t fotaTrialPowerBoots(const FotaOtadataRecord *otadata, int index)
{
	if (otadata->partition->encrypted)
		return 0;
	return clearedBits(counterWord(otadata, index, POWER_BOOTS_OFFSET));
}

uint32_t fotaTrialBootsMax(const FotaOtadataRecord *otadata)
{
	return otadata->partition->encrypted ? 1 : FOTA_TRIAL_BOOTS;
}

bool fotaTrialHasBootloaderRollback(void)
{
	FotaOtadataRecord otadata;
	if (gBootloaderLacksRollback)
		return false;
	if (ESP_OK != fotaOtadataRead(&otadata) || otadata.partition->encrypted)
		return true;
	for (int slot = 0; slot < (int)otadata.slotCount; slot++) {
		int index = fotaOtadataIndex(&otadata, slot);
		if (index >= 0 && 0 == counterWord(&otadata, index, BARE_BOOTLOADER_OFFSET))
			return false;
	}
	return true;
}
