/* See sim-capture.h. */
#include "sim-capture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "chip.h"
#include "process.h"

#define HEAD_BYTES 9u

static void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void sim_capture(enum sim_capture_kind kind, uint32_t connection, const uint8_t *bytes, uint32_t length)
{
	if (chip->options.capture_fd < 0 || connection == 0)
		return;
	uint8_t head[HEAD_BYTES] = { (uint8_t)kind };
	put_u32(head + 1, connection);
	put_u32(head + 5, length);
	/* One call for both, to a file opened with O_APPEND: a record is whole or the last. */
	struct iovec parts[] = { { head, sizeof(head) }, { (void *)bytes, length } };
	ssize_t written = writev(chip->options.capture_fd, parts, length ? 2 : 1);
	if (written == (ssize_t)(sizeof(head) + length))
		return;
	fprintf(stderr, "xs-fota-sim: --capture: %s\n", written < 0 ? strerror(errno) : "the file takes no more");
	process_end_run(CHIP_END_INTERNAL);
}
