/*
 * Arguments and errors of our native functions: conversions that refuse what does
 * not fit, buffer ranges that cannot wrap, ESP-IDF's error names as exceptions.
 * Included by the *.c files that JavaScript calls; it knows no partition and no key.
 *
 * The order of use is a rule of XS in C: convert numbers and strings first (that may
 * run JavaScript and move memory), take buffers last, throw only when nothing is held.
 */
#ifndef FOTA_NATIVE_H
#define FOTA_NATIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "xsmc.h"
#include "xsHost.h"

#include "esp_err.h"

static inline void fotaNeedArguments(xsMachine *the, xsIntegerValue count)
{
	if (xsmcArgc < count)
		xsTypeError("missing argument");
}

/* A whole number from minimum to maximum; anything else is a RangeError. */
static inline double fotaToWhole(xsMachine *the, xsSlot *slot, double minimum, double maximum)
{
	double value = xsmcToNumber(*slot);
	if (!(value >= minimum && value <= maximum) || value != (double)(int64_t)value)
		xsRangeError("not in range");
	return value;
}

static inline uint32_t fotaToUnsigned(xsMachine *the, xsSlot *slot)
{
	return (uint32_t)fotaToWhole(the, slot, 0, UINT32_MAX);
}

/* True if offset … offset + count lies within size; no sum that could wrap. */
static inline bool fotaIsWithin(uint32_t offset, uint32_t count, uint32_t size)
{
	return offset <= size && count <= size - offset;
}

/* The bytes buffer[offset … offset + count). Valid until the next call into XS. */
static inline uint8_t *fotaReadable(xsMachine *the, xsSlot *slot, uint32_t offset, uint32_t count)
{
	void *data;
	xsUnsignedValue size;
	xsmcGetBufferReadable(*slot, &data, &size);
	if (!fotaIsWithin(offset, count, size))
		xsRangeError("outside the buffer");
	return (uint8_t *)data + offset;
}

static inline uint8_t *fotaWritable(xsMachine *the, xsSlot *slot, uint32_t offset, uint32_t count)
{
	void *data;
	xsUnsignedValue size;
	xsmcGetBufferWritable(*slot, &data, &size);
	if (!fotaIsWithin(offset, count, size))
		xsRangeError("outside the buffer");
	return (uint8_t *)data + offset;
}

static inline void fotaThrowIf(xsMachine *the, esp_err_t err)
{
	if (ESP_OK != err)
		xsUnknownError("%s", esp_err_to_name(err));
}

#endif
