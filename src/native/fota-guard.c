/* See fota-guard.h. */

#include "fota-guard.h"

#include "nvs_flash/include/nvs_flash.h"

static bool gHasErasedNvs;

/* Errors that say nothing of what is in NVS: no such partition, no memory to read it. */
static bool isCuredByErasing(esp_err_t err)
{
	return ESP_OK != err && ESP_ERR_NOT_FOUND != err && ESP_ERR_NVS_PART_NOT_FOUND != err && ESP_ERR_NO_MEM != err;
}

/*
 * A constructor, so before app_main. Opens NVS; if that fails for what is in it (no free
 * page, another format, or whatever else a restart would only meet again), erases it and
 * opens it anew. What was in it is lost, as the design allows: identity and keys are not
 * kept there. main.c finds it open.
 */
static void __attribute__((constructor)) guardNvs(void)
{
	if (!isCuredByErasing(nvs_flash_init()))
		return;
	gHasErasedNvs = ESP_OK == nvs_flash_erase();
	nvs_flash_init();
}

bool fotaGuardHasErasedNvs(void)
{
	return gHasErasedNvs;
}
