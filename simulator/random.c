/*
 * The chip's random numbers: xoroshiro128+ seeded by --seed, so that a run can be
 * repeated, or by the host. The state lies in the chip and runs on over resets.
 */
#include <string.h>

#include "chip.h"

static uint64_t rotate(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

uint32_t chip_random(void)
{
	uint64_t *state = chip->random_state;
	uint64_t first = state[0], second = state[1];
	uint64_t result = first + second;
	second ^= first;
	state[0] = rotate(first, 24) ^ second ^ (second << 16);
	state[1] = rotate(second, 37);
	return (uint32_t)(result >> 32);
}

void chip_random_fill(void *buffer, size_t bytes)
{
	uint8_t *p = buffer;
	while (bytes) {
		uint32_t value = chip_random();
		size_t part = bytes < sizeof(value) ? bytes : sizeof(value);
		memcpy(p, &value, part);
		p += part;
		bytes -= part;
	}
}
