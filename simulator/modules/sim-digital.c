/* C of the "embedded:io/digital" stand-in: which pins can be outputs, and the line that shows a level. */
#include "xsmc.h"

#include "chip.h"

/* The pin that is driven when `pin` is asked for; undefined: none that can be an output. */
void xs_digital_output(xsMachine *the)
{
	static const struct {
		uint32_t chip_id;
		uint64_t pins; /* SOC_GPIO_VALID_OUTPUT_GPIO_MASK */
		bool has_one_bank; /* kPinBanks: a number beyond it is taken modulo 32 */
	} chips[] = {
		{ CHIP_ID_ESP32, 0x30EFFFFFFu, false },
		{ CHIP_ID_ESP32C3, 0x3FFFFFu, true },
		{ CHIP_ID_ESP32S3, 0x1FFFFFC3FFFFFu, false },
	};
	xsIntegerValue pin = xsmcToInteger(xsArg(0));
	for (size_t i = 0; i < sizeof(chips) / sizeof(chips[0]); i++) {
		if (chips[i].chip_id != chip->chip_id)
			continue;
		if (chips[i].has_one_bank)
			pin &= 0x1f;
		if (pin >= 0 && pin < 64 && ((chips[i].pins >> pin) & 1u))
			xsmcSetInteger(xsResult, pin);
	}
}

void xs_digital_set(xsMachine *the)
{
	xsIntegerValue pin = xsmcToInteger(xsArg(0));
	chip_printf("sim: pin %d is %s at %u ms\n", (int)pin, xsmcToBoolean(xsArg(1)) ? "high" : "low",
		(unsigned)(chip_uptime_us() / 1000u));
}
