/*
 * One boot, in the child process, in the chip's order: ROM message, bootloader, C
 * constructors of the natives, NVS, PSA, and then the XS machine with the modules
 * of the slot that was booted. Called by power.c after the fork; never returns.
 */
#include "app.h"

#include <inttypes.h>
#include <psa/crypto.h>

#include "chip.h"
#include "esp_err.h"
#include "nvs_flash.h"
#include "process.h"
#include "xs/machine.h"
#include "xs/modules.h"

/* The constructors of src/native, moved out of .init_array by the build: they run
 * at every boot of the chip, not when this program starts. */
typedef void (*constructor)(void);
extern const constructor __start_fota_constructors[] __attribute__((weak));
extern const constructor __stop_fota_constructors[] __attribute__((weak));

static const char *reset_name(uint32_t reason)
{
	switch (reason) {
	case CHIP_RESET_POWERON: return "POWERON_RESET";
	case CHIP_RESET_SW: return "SW_RESET";
	case CHIP_RESET_PANIC: return "PANIC";
	case CHIP_RESET_TASK_WDT: return "TASK_WDT";
	case CHIP_RESET_BROWNOUT: return "BROWNOUT";
	default: return "UNKNOWN";
	}
}

static void run_constructors(void)
{
	for (const constructor *call = __start_fota_constructors; call < __stop_fota_constructors; call++)
		(*call)();
}

static void start_nvs(void)
{
	esp_err_t error = nvs_flash_init();
	if (error == ESP_OK)
		return;
	chip_log("cpu", "ESP_ERROR_CHECK failed: esp_err_t 0x%x (%s): nvs_flash_init", (unsigned)error,
		esp_err_to_name(error));
	chip_log("cpu", "abort() was called");
	chip_reset(CHIP_RESET_PANIC);
}

static void open_modules(void)
{
	const struct chip_booted *booted = &chip->booted;
	if (booted->payload_offset > chip->flash_bytes
		|| booted->payload_bytes > chip->flash_bytes - booted->payload_offset) {
		chip_log("cpu", "the application's payload lies outside the flash");
		chip_reset(CHIP_RESET_PANIC);
	}
	const char *problem = modules_open(chip->flash + booted->payload_offset, booted->payload_bytes);
	if (!problem)
		return;
	chip_log("cpu", "no application in %s: %s", booted->label, problem);
	chip_reset(CHIP_RESET_PANIC);
}

_Noreturn void app_boot(void)
{
	chip_log("rom", "rst:0x%" PRIx32 " (%s), boot %" PRIu32, chip->reset_reason,
		reset_name(chip->reset_reason), chip->boot_count);
	if (bootloader_select() != 0)
		process_end_run(CHIP_END_NO_IMAGE);
	run_constructors();
	start_nvs();
	if (psa_crypto_init() != PSA_SUCCESS) {
		chip_log("cpu", "psa_crypto_init failed");
		chip_reset(CHIP_RESET_PANIC);
	}
	open_modules();
	machine_run();
}
