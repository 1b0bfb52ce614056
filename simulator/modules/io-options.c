/* See io-options.h. */
#include "io-options.h"

#include "mc.xs.h"

static const char *const format_names[] = {
	"", "number", "buffer", "string", "socket/tcp", "uint8", "int8", "uint16", "int16",
	"uint32", "int32", "uint64", "int64",
};

xsSlot *io_option_callback(xsMachine *the, xsIdentifier id)
{
	xsSlot slot;
	xsmcGet(slot, xsArg(0), id);
	xsType type = xsmcTypeOf(slot);
	if (type == xsUndefinedType || type == xsNullType)
		return NULL;
	if (!xsmcIsCallable(slot))
		xsUnknownError("not a function");
	return fxToReference(the, &slot);
}

static uint8_t find_format(const char *name)
{
	for (uint8_t i = IO_FORMAT_NUMBER; i <= IO_FORMAT_INT64; i++) {
		if (!strcmp(name, format_names[i]))
			return i;
	}
	return IO_FORMAT_INVALID;
}

uint8_t io_option_format(xsMachine *the, uint8_t fallback)
{
	xsSlot slot;
	if (!xsmcHas(xsArg(0), xsID_format))
		return fallback;
	xsmcGet(slot, xsArg(0), xsID_format);
	return xsmcTest(slot) ? find_format(xsmcToString(slot)) : fallback;
}

void io_option_target(xsMachine *the)
{
	xsSlot target;
	if (!xsmcHas(xsArg(0), xsID_target))
		return;
	xsmcGet(target, xsArg(0), xsID_target);
	xsmcSet(xsThis, xsID_target, target);
}

uint8_t io_format_from_string(xsMachine *the, xsSlot *slot)
{
	uint8_t format = find_format(xsmcToString(*slot));
	if (format == IO_FORMAT_INVALID)
		xsRangeError("unknown");
	return format;
}

void io_format_to_string(xsMachine *the, uint8_t format)
{
	xsmcSetString(xsResult, (xsStringValue)format_names[format]);
}
