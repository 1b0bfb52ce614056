/*
 * C of the "time" stand-in. Ticks are milliseconds since boot; Time.set changes the
 * wall clock alone.
 */
#include "xsmc.h"
#include "xsHost.h"

void xs_time_set(xsMachine *the)
{
	xsNumberValue seconds = xsmcToNumber(xsArg(0));
	if (!(seconds >= 0 && seconds <= UINT32_MAX))
		xsRangeError("invalid time");
	modSetTime((uint32_t)seconds);
}

void xs_time_ticks(xsMachine *the)
{
	xsmcSetInteger(xsResult, (xsIntegerValue)modMilliseconds());
}

void xs_time_delta(xsMachine *the)
{
	uint32_t start = (uint32_t)xsmcToInteger(xsArg(0));
	uint32_t end = xsmcArgc > 1 && xsmcTypeOf(xsArg(1)) != xsUndefinedType
		? (uint32_t)xsmcToInteger(xsArg(1)) : modMilliseconds();
	xsmcSetInteger(xsResult, (xsIntegerValue)(end - start));
}
