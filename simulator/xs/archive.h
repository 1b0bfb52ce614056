/*
 * The payload archive: compiled modules as they lie in a firmware image. This
 * header gives its shape; archive.c reads it, compile.c writes it. Layout in
 * docs/simulator.md, "Payload archive". Knows nothing of XS or of flash.
 */
#ifndef FOTA_ARCHIVE_H
#define FOTA_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_MAGIC "XSFA"
#define ARCHIVE_VERSION 1u
#define ARCHIVE_HEADER_BYTES 28u
#define ARCHIVE_MODULE_HEADER_BYTES 12u
#define ARCHIVE_MODULES_MAX 256u
#define ARCHIVE_SPECIFIER_MAX 255u /* bytes, without the terminating zero */

struct archive_module {
	const char *specifier; /* zero-terminated, inside the archive */
	uint8_t *symbols;
	uint32_t symbols_bytes;
	uint8_t *code; /* changed in place when it is linked into a machine */
	uint32_t code_bytes;
};

struct archive {
	uint8_t *bytes; /* owned by whoever called archive_parse */
	uint32_t length;
	uint32_t entry; /* index of the entry module */
	uint32_t module_count;
	struct archive_module module[ARCHIVE_MODULES_MAX];
};

/* Checks everything about `bytes` (which must stay and be writable) and fills in
 * the archive. Returns NULL, or what is wrong. `available` may exceed the archive:
 * images are padded. xs_version: the three numbers the bytecode must be made for. */
const char *archive_parse(struct archive *archive, uint8_t *bytes, size_t available,
	const uint8_t xs_version[3]);

const struct archive_module *archive_find(const struct archive *archive, const char *specifier);

uint32_t archive_crc32(const uint8_t *bytes, size_t length);
uint32_t archive_code_bytes(const struct archive *archive);

#endif
