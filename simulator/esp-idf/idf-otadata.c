/*
 * bootloader_common_*: the rules for boot records that bootloader and application share.
 * Pure; reads no flash.
 */

#include "bootloader_common.h"

#include <stddef.h>

/* CRC-32 (0xEDB88320) as the ROM's crc32_le(0xFFFFFFFF, …) gives it: begins with 0, ends inverted. */
uint32_t bootloader_common_ota_select_crc(const esp_ota_select_entry_t *s)
{
	const uint8_t *bytes = (const uint8_t *)&s->ota_seq;
	uint32_t crc = 0;
	for (size_t i = 0; i < sizeof(s->ota_seq); i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
	}
	return ~crc;
}

bool bootloader_common_ota_select_invalid(const esp_ota_select_entry_t *s)
{
	return UINT32_MAX == s->ota_seq || ESP_OTA_IMG_INVALID == s->ota_state || ESP_OTA_IMG_ABORTED == s->ota_state;
}

bool bootloader_common_ota_select_valid(const esp_ota_select_entry_t *s)
{
	return !bootloader_common_ota_select_invalid(s) && s->crc == bootloader_common_ota_select_crc(s);
}

/* The valid record with the higher sequence number, the first of two equal ones; −1 if neither is valid. */
int bootloader_common_get_active_otadata(esp_ota_select_entry_t *two_otadata)
{
	if (!two_otadata)
		return -1;
	bool isFirstValid = bootloader_common_ota_select_valid(&two_otadata[0]);
	bool isSecondValid = bootloader_common_ota_select_valid(&two_otadata[1]);
	if (isFirstValid && isSecondValid)
		return two_otadata[0].ota_seq >= two_otadata[1].ota_seq ? 0 : 1;
	return isFirstValid ? 0 : isSecondValid ? 1 : -1;
}
