/*
 * The NOR flash behind chip_flash_*: programming only clears bits, erasing sets whole
 * sectors, each operation is counted, and the faults of chip->fault strike here. Called by
 * the ESP-IDF functions in this folder and by the bootloader; it knows no partition.
 */

#include "chip.h"

#include <string.h>

/* What is left of an operation that power interrupted. */
typedef void (*TornEffect)(uint32_t offset, const uint8_t *data, uint32_t length);

static bool isWithin(uint32_t offset, uint32_t length)
{
	return offset <= chip->flash_bytes && length <= chip->flash_bytes - offset;
}

static const struct chip_fault *findFault(uint64_t operation)
{
	for (uint32_t i = 0; i < chip->fault_count; i++) {
		const struct chip_fault *fault = &chip->fault[i];
		uint64_t count = CHIP_FAULT_FAIL == fault->kind ? fault->count : 1;
		if (operation >= fault->operation && operation - fault->operation < count)
			return fault;
	}
	return NULL;
}

static void programBytes(uint32_t offset, const uint8_t *data, uint32_t length)
{
	bool breaksRule = false;
	for (uint32_t i = 0; i < length; i++) {
		uint8_t *cell = &chip->flash[offset + i];
		breaksRule |= 0 != (data[i] & ~*cell);
		*cell &= data[i];
	}
	chip->flash_stats.rule_break_count += breaksRule;
}

/* `byte` in which each 0 is still a 1 with a chance of `chance` in 256. */
static uint8_t risen(uint8_t byte, uint32_t chance)
{
	for (uint32_t bit = 0; bit < 8; bit++) {
		if (chip_random() % 256 < chance)
			byte |= (uint8_t)(1u << bit);
	}
	return byte;
}

/*
 * Either a prefix of the bytes, then one byte with only some of its bits cleared; or, as a
 * page is programmed at once, bits missing all over: most, many, or a last few.
 */
static void programTorn(uint32_t offset, const uint8_t *data, uint32_t length)
{
	static const uint32_t chances[] = { 1, 4, 32, 128, 224, 252 };
	uint32_t whole = chip_random() % length;
	if (chip_random() % 2) {
		programBytes(offset, data, whole);
		chip->flash[offset + whole] &= data[whole] | (uint8_t)chip_random();
		return;
	}
	uint32_t chance = chances[chip_random() % 6];
	for (uint32_t i = 0; i < length; i++)
		chip->flash[offset + i] &= risen(data[i], chance);
}

/* `length` bytes are erased together. */
static void eraseBytes(uint32_t offset, const uint8_t *data, uint32_t length)
{
	(void)data;
	memset(chip->flash + offset, 0xFF, length);
}

/*
 * Either the cells rise all over, a few or most of them, or a part is done, a stretch half
 * done and the rest untouched; from either end. The first 64 bytes, where records lie, are
 * the ones that matter, so the boundary falls among them as often as anywhere.
 */
static void eraseTorn(uint32_t offset, const uint8_t *data, uint32_t length)
{
	static const uint32_t chances[] = { 1, 4, 32, 128, 224, 255 };
	uint8_t *cells = chip->flash + offset;
	uint32_t kind = chip_random() % 4;
	(void)data;
	if (kind < 2) {
		uint32_t chance = chances[chip_random() % 6];
		for (uint32_t i = 0; i < length; i++)
			cells[i] = risen(cells[i], chance);
		return;
	}
	uint32_t span = chip_random() % 2 ? length : 64;
	uint32_t from = chip_random() % span;
	uint32_t to = from + chip_random() % (span - from);
	bool isUpwards = 2 == kind;
	for (uint32_t i = 0; i < length; i++) {
		if (i >= from && i < to)
			cells[i] = risen(cells[i], 128);
		else if (isUpwards == (i < from))
			cells[i] = 0xFF;
	}
}

/*
 * One operation with whatever fault is planned for its number. 0, or −1 if it failed.
 * A failed operation leaves the flash as it was.
 */
static int operate(TornEffect effect, TornEffect torn, uint32_t offset, const uint8_t *data, uint32_t length)
{
	chip->operation_count++;
	const struct chip_fault *fault = findFault(chip->operation_count);
	if (!fault) {
		effect(offset, data, length);
		return 0;
	}
	if (CHIP_FAULT_FAIL == fault->kind) {
		chip->flash_stats.failed_count++;
		return -1;
	}
	if (CHIP_HALF == fault->moment)
		torn(offset, data, length);
	else if (CHIP_AFTER == fault->moment)
		effect(offset, data, length);
	chip_power_cut((enum chip_fault_kind)fault->kind);
}

static void spend(uint32_t us)
{
	if (chip->options.flash_timing)
		chip_clock_advance_us(us);
}

int chip_flash_read(uint32_t offset, void *buffer, uint32_t length)
{
	if (!isWithin(offset, length))
		return -1;
	memcpy(buffer, chip->flash + offset, length);
	chip->flash_stats.read_bytes += length;
	return 0;
}

int chip_flash_program(uint32_t offset, const void *data, uint32_t length)
{
	const uint8_t *bytes = data;
	if (!isWithin(offset, length))
		return -1;
	while (length > 0) {
		uint32_t use = CHIP_PAGE_BYTES - offset % CHIP_PAGE_BYTES;
		if (use > length)
			use = length;
		if (0 != operate(programBytes, programTorn, offset, bytes, use))
			return -1;
		chip->flash_stats.program_count++;
		chip->flash_stats.programmed_bytes += use;
		spend(CHIP_PROGRAM_PAGE_US);
		offset += use;
		bytes += use;
		length -= use;
	}
	return 0;
}

int chip_flash_erase(uint32_t offset, uint32_t length)
{
	if (!isWithin(offset, length) || offset % CHIP_SECTOR_BYTES || length % CHIP_SECTOR_BYTES)
		return -1;
	while (length > 0) {
		bool isBlock = 0 == offset % CHIP_BLOCK_BYTES && length >= CHIP_BLOCK_BYTES;
		uint32_t use = isBlock ? CHIP_BLOCK_BYTES : CHIP_SECTOR_BYTES;
		chip_before_erase();
		if (0 != operate(eraseBytes, eraseTorn, offset, NULL, use))
			return -1;
		if (isBlock)
			chip->flash_stats.erase_block_count++;
		else
			chip->flash_stats.erase_sector_count++;
		chip->flash_stats.erased_bytes += use;
		spend(isBlock ? CHIP_ERASE_BLOCK_US : CHIP_ERASE_SECTOR_US);
		offset += use;
		length -= use;
	}
	return 0;
}
