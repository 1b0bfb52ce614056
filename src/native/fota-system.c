/* C side of fota-system.ts: reset reason, restart, serial line, age of this start. No state. */

#include "fota-guard.h"
#include "fota-native.h"

#include "sdkconfig.h"
#include "esp_idf_version.h"
#include "esp_rom_sys.h"
#include "esp_system.h"
#include "esp_timer.h"

void xs_fota_system_resetReason(xsMachine *the)
{
	xsmcSetInteger(xsResult, (xsIntegerValue)esp_reset_reason());
}

void xs_fota_system_restart(xsMachine *the)
{
	(void)the;
	esp_restart();
}

void xs_fota_system_print(xsMachine *the)
{
	fotaNeedArguments(the, 1);
	esp_rom_printf("%s\n", xsmcToString(xsArg(0)));
}

void xs_fota_system_chipId(xsMachine *the)
{
	xsmcSetInteger(xsResult, CONFIG_IDF_FIRMWARE_CHIP_ID);
}

void xs_fota_system_uptimeMs(xsMachine *the)
{
	xsmcSetNumber(xsResult, (xsNumberValue)(esp_timer_get_time() / 1000));
}

void xs_fota_system_idfVersion(xsMachine *the)
{
	xsmcSetString(xsResult, (char *)esp_get_idf_version());
}

void xs_fota_system_freeHeapBytes(xsMachine *the)
{
	xsmcSetNumber(xsResult, esp_get_free_heap_size());
}

void xs_fota_system_freeHeapMinimumBytes(xsMachine *the)
{
	xsmcSetNumber(xsResult, esp_get_minimum_free_heap_size());
}

void xs_fota_system_wasStorageErased(xsMachine *the)
{
	xsmcSetBoolean(xsResult, fotaGuardHasErasedNvs());
}
