/*
 * Reads the payload archive (archive.h). Called when an application starts and
 * for the modules built into the simulator. Every number is checked against the
 * size of what holds it before it is used.
 */
#include "archive.h"

#include <stdbool.h>
#include <string.h>

static uint16_t read16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (p[1] << 8));
}

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

uint32_t archive_crc32(const uint8_t *bytes, size_t length)
{
	uint32_t table[256];
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;
		for (int bit = 0; bit < 8; bit++)
			value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0);
		table[i] = value;
	}
	uint32_t crc = 0xFFFFFFFFu;
	for (size_t i = 0; i < length; i++)
		crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xFF];
	return ~crc;
}

/* Symbols: a count (16 bits, one more than there are), then zero-terminated names. */
static bool are_symbols_valid(const uint8_t *symbols, uint32_t bytes)
{
	if (bytes < 2)
		return false;
	uint32_t count = read16(symbols);
	uint32_t at = 2;
	for (uint32_t i = 1; i < count; i++) {
		const uint8_t *end = at < bytes ? memchr(symbols + at, 0, bytes - at) : NULL;
		if (!end)
			return false;
		at = (uint32_t)(end - symbols) + 1;
	}
	return count > 0 && count <= 0x7FFF;
}

static const char *parse_module(struct archive *archive, uint32_t *at, struct archive_module *module)
{
	uint32_t left = archive->length - *at;
	if (left < ARCHIVE_MODULE_HEADER_BYTES)
		return "a module header is cut off";
	uint8_t *p = archive->bytes + *at;
	uint32_t specifier_bytes = read32(p), symbols_bytes = read32(p + 4), code_bytes = read32(p + 8);
	left -= ARCHIVE_MODULE_HEADER_BYTES;
	if (specifier_bytes == 0 || specifier_bytes > ARCHIVE_SPECIFIER_MAX || specifier_bytes + 1 > left)
		return "a specifier has an impossible length";
	left -= specifier_bytes + 1;
	if (symbols_bytes > left || code_bytes > left - symbols_bytes || code_bytes == 0)
		return "a module is longer than the archive";
	module->specifier = (const char *)p + ARCHIVE_MODULE_HEADER_BYTES;
	if (strnlen(module->specifier, specifier_bytes + 1) != specifier_bytes)
		return "a specifier is not a string";
	module->symbols = p + ARCHIVE_MODULE_HEADER_BYTES + specifier_bytes + 1;
	module->symbols_bytes = symbols_bytes;
	module->code = module->symbols + symbols_bytes;
	module->code_bytes = code_bytes;
	if (!are_symbols_valid(module->symbols, symbols_bytes))
		return "a symbol table is damaged";
	*at += ARCHIVE_MODULE_HEADER_BYTES + specifier_bytes + 1 + symbols_bytes + code_bytes;
	return NULL;
}

static const char *parse_header(struct archive *archive, uint8_t *bytes, size_t available,
	const uint8_t xs_version[3])
{
	if (available < ARCHIVE_HEADER_BYTES || memcmp(bytes, ARCHIVE_MAGIC, 4) != 0)
		return "there is no archive (no XSFA)";
	if (read16(bytes + 4) != ARCHIVE_VERSION)
		return "the archive has another version than this simulator reads";
	archive->bytes = bytes;
	archive->length = read32(bytes + 8);
	if (archive->length < ARCHIVE_HEADER_BYTES || archive->length > available)
		return "the archive is longer than what holds it";
	if (archive_crc32(bytes + 16, archive->length - 16) != read32(bytes + 12))
		return "the archive's CRC-32 does not match";
	if (memcmp(bytes + 16, xs_version, 3) != 0)
		return "the bytecode was made by another version of XS";
	archive->module_count = read32(bytes + 20);
	archive->entry = read32(bytes + 24);
	if (archive->module_count == 0 || archive->module_count > ARCHIVE_MODULES_MAX)
		return "the archive has an impossible number of modules";
	if (archive->entry >= archive->module_count)
		return "the archive's entry is none of its modules";
	return NULL;
}

const char *archive_parse(struct archive *archive, uint8_t *bytes, size_t available,
	const uint8_t xs_version[3])
{
	memset(archive, 0, sizeof(*archive));
	const char *problem = parse_header(archive, bytes, available, xs_version);
	uint32_t at = ARCHIVE_HEADER_BYTES;
	for (uint32_t i = 0; !problem && i < archive->module_count; i++)
		problem = parse_module(archive, &at, &archive->module[i]);
	if (!problem && at != archive->length)
		problem = "the archive has bytes that belong to no module";
	if (problem)
		archive->module_count = 0;
	return problem;
}

const struct archive_module *archive_find(const struct archive *archive, const char *specifier)
{
	for (uint32_t i = 0; i < archive->module_count; i++) {
		if (strcmp(archive->module[i].specifier, specifier) == 0)
			return &archive->module[i];
	}
	return NULL;
}

uint32_t archive_code_bytes(const struct archive *archive)
{
	uint32_t total = 0;
	for (uint32_t i = 0; i < archive->module_count; i++)
		total += archive->module[i].symbols_bytes + archive->module[i].code_bytes;
	return total;
}
