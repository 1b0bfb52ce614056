/*
 * The chip's own small services under ESP-IDF's names: reset, serial line, random, time
 * and error names. Called by src/native.
 */

#include <stdarg.h>
#include <stdio.h>

#include "chip.h"
#include "esp_idf_version.h"
#include "esp_private/system_internal.h"
#include "esp_random.h"
#include "esp_rom_sys.h"
#include "esp_timer.h"
#include "sdkconfig.h"

#include "esp_image_format.h"
#include "app_update/include/esp_ota_ops.h"
#include "nvs.h"

/*
 * A chip with Wi-Fi up has about this much left. What src/native and the stand-ins of Moddable's modules allocate goes
 * off it; the heaps of XS, lwip's buffers and the tasks of others are as if they were gone already.
 */
#define FREE_HEAP_BYTES 120000u

struct ErrorName {
	esp_err_t code;
	const char *name;
};

#define NAMED(code) { code, #code }

static const struct ErrorName kErrorNames[] = {
	NAMED(ESP_OK),
	NAMED(ESP_FAIL),
	NAMED(ESP_ERR_NO_MEM),
	NAMED(ESP_ERR_INVALID_ARG),
	NAMED(ESP_ERR_INVALID_STATE),
	NAMED(ESP_ERR_INVALID_SIZE),
	NAMED(ESP_ERR_NOT_FOUND),
	NAMED(ESP_ERR_NOT_SUPPORTED),
	NAMED(ESP_ERR_NOT_ALLOWED),
	NAMED(ESP_ERR_NVS_NOT_INITIALIZED),
	NAMED(ESP_ERR_NVS_NOT_FOUND),
	NAMED(ESP_ERR_NVS_READ_ONLY),
	NAMED(ESP_ERR_NVS_NOT_ENOUGH_SPACE),
	NAMED(ESP_ERR_NVS_INVALID_NAME),
	NAMED(ESP_ERR_NVS_INVALID_HANDLE),
	NAMED(ESP_ERR_NVS_KEY_TOO_LONG),
	NAMED(ESP_ERR_NVS_INVALID_LENGTH),
	NAMED(ESP_ERR_NVS_NO_FREE_PAGES),
	NAMED(ESP_ERR_NVS_VALUE_TOO_LONG),
	NAMED(ESP_ERR_NVS_PART_NOT_FOUND),
	NAMED(ESP_ERR_OTA_PARTITION_CONFLICT),
	NAMED(ESP_ERR_OTA_VALIDATE_FAILED),
	NAMED(ESP_ERR_OTA_ROLLBACK_FAILED),
	NAMED(ESP_ERR_OTA_ROLLBACK_INVALID_STATE),
	NAMED(ESP_ERR_IMAGE_FLASH_FAIL),
	NAMED(ESP_ERR_IMAGE_INVALID),
	NAMED(ESP_ERR_FLASH_OP_FAIL),
};

const char *esp_err_to_name(esp_err_t code)
{
	for (size_t i = 0; i < sizeof(kErrorNames) / sizeof(kErrorNames[0]); i++) {
		if (kErrorNames[i].code == code)
			return kErrorNames[i].name;
	}
	return "UNKNOWN ERROR";
}

uint16_t idf_chip_id(void)
{
	return (uint16_t)chip->chip_id;
}

void esp_restart(void)
{
	chip_reset(CHIP_RESET_SW);
}

esp_reset_reason_t esp_reset_reason(void)
{
	return (esp_reset_reason_t)chip->reset_reason;
}

/* Consumed by esp_reset_reason(), which here is known from the start. */
esp_reset_reason_t esp_reset_reason_get_hint(void)
{
	return ESP_RST_UNKNOWN;
}

soc_reset_reason_t esp_rom_get_reset_reason(int cpu_no)
{
	(void)cpu_no;
	switch (chip->reset_reason) {
		case CHIP_RESET_POWERON:
			return RESET_REASON_CHIP_POWER_ON;
		case CHIP_RESET_BROWNOUT:
			return RESET_REASON_SYS_BROWN_OUT;
		case CHIP_RESET_TASK_WDT:
			return RESET_REASON_CORE_MWDT0;
		default:
			return RESET_REASON_CORE_SW;
	}
}

static uint32_t heap_without(uint64_t bytes)
{
	return bytes < FREE_HEAP_BYTES ? FREE_HEAP_BYTES - (uint32_t)bytes : 0;
}

uint32_t esp_get_free_heap_size(void)
{
	return heap_without(chip->memory_stats.native_bytes);
}

uint32_t esp_get_minimum_free_heap_size(void)
{
	return heap_without(chip->memory_stats.native_boot_peak_bytes);
}

int esp_rom_printf(const char *fmt, ...)
{
	va_list arguments;
	va_start(arguments, fmt);
	chip_vprintf(fmt, arguments);
	va_end(arguments);
	return 0;
}

uint32_t esp_random(void)
{
	return chip_random();
}

void esp_fill_random(void *buf, size_t len)
{
	chip_random_fill(buf, len);
}

int64_t esp_timer_get_time(void)
{
	return (int64_t)chip_uptime_us();
}

const char *esp_get_idf_version(void)
{
	return "v6.0.2";
}
