/*
 * The options object common to ECMA-419 I/O constructors: callbacks, target,
 * format. Used by the stand-ins' C; errors as Moddable's builtinCommon has them.
 */
#ifndef FOTA_IO_OPTIONS_H
#define FOTA_IO_OPTIONS_H

#include "xsmc.h"

enum io_format {
	IO_FORMAT_INVALID = 0,
	IO_FORMAT_NUMBER,
	IO_FORMAT_BUFFER,
	IO_FORMAT_STRING,
	IO_FORMAT_SOCKET_TCP,
	IO_FORMAT_UINT8,
	IO_FORMAT_INT8,
	IO_FORMAT_UINT16,
	IO_FORMAT_INT16,
	IO_FORMAT_UINT32,
	IO_FORMAT_INT32,
	IO_FORMAT_UINT64,
	IO_FORMAT_INT64,
};

/* options[id] as a function, NULL if it is missing; all read xsArg(0). */
xsSlot *io_option_callback(xsMachine *the, xsIdentifier id);
uint8_t io_option_format(xsMachine *the, uint8_t fallback);
/* this.target = options.target, if there is one. */
void io_option_target(xsMachine *the);

uint8_t io_format_from_string(xsMachine *the, xsSlot *slot);
void io_format_to_string(xsMachine *the, uint8_t format);

#endif
