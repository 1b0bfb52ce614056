/* See fota-guard.h. */

#include "fota-guard.h"

#include "nvs_flash/include/nvs_flash.h"

static bool gHasErasedNvs;

/*
 * A constructor, so before app_main. Opens NVS; if it has no free page or another format,
 * erases it and opens it anew. What was in it is lost, as the design allows: identity and
 * keys are not kept there. main.c finds it open.
 */
static void __attribute__((constructor)) guardNvs(void)
{
	esp_err_t err = nvs_flash_init();
	if (ESP_ERR_NVS_NO_FREE_PAGES != err && ESP_ERR_NVS_NEW_VERSION_FOUND != err)
		return;
	gHasErasedNvs = ESP_OK == nvs_flash_erase();
	nvs_flash_init();
}

bool fotaGuardHasErasedNvs(void)
{
	return gHasErasedNvs;
}
