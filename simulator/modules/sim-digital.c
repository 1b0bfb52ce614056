/* C of the "embedded:io/digital" stand-in: which pins can be outputs, and the line that shows a level. */
#include "xsmc.h"

#include "chip.h"

void xs_digital_is_output(xsMachine *the)
{
	static const struct {
		uint32_t chip_id;
		uint64_t pins; /* SOC_GPIO_VALID_OUTPUT_GPIO_MASK */
	} chips[] = {
		{ CHIP_ID_ESP32, 0x30EFFFFFFu },
		{ CHIP_ID_ESP32C3, 0x3FFFFFu },
		{ CHIP_ID_ESP32S3, 0x1FFFFFC3FFFFFu },
	};
	xsIntegerValue pin = xsmcToInteger(xsArg(0));
	xsmcSetBoolean(xsResult, false);
	for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
		if (chips[i].chip_id == chip->chip_id && pin >= 0 && pin < 64)
			xsmcSetBoolean(xsResult, (chips[i].pins >> pin) & 1u);
	}
}

void xs_digital_set(xsMachine *the)
{
	xsIntegerValue pin = xsmcToInteger(xsArg(0));
	chip_printf("sim: pin %d is %s at %u ms\n", (int)pin, xsmcToBoolean(xsArg(1)) ? "high" : "low",
		(unsigned)(chip_uptime_us() / 1000u));
}
