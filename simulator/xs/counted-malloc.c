/*
 * The counted allocator behind counted-malloc.h. Each block carries its size in
 * front, as it would carry a header on the chip's heap.
 */
#define COUNTED_MALLOC_OFF
#include "counted-malloc.h"

#include "chip.h"

struct block {
	size_t bytes;
	max_align_t data[];
};

static void count(size_t bytes)
{
	struct chip_memory_stats *stats = &chip->memory_stats;
	stats->native_bytes += bytes;
	if (stats->native_bytes > stats->native_peak_bytes)
		stats->native_peak_bytes = stats->native_bytes;
	if (stats->native_bytes > stats->native_boot_peak_bytes)
		stats->native_boot_peak_bytes = stats->native_bytes;
}

static struct block *block_of(void *pointer)
{
	return (struct block *)((char *)pointer - offsetof(struct block, data));
}

void *counted_malloc(size_t bytes)
{
	if (bytes > SIZE_MAX - sizeof(struct block))
		return NULL;
	struct block *block = malloc(sizeof(struct block) + bytes);
	if (!block)
		return NULL;
	block->bytes = bytes;
	count(bytes);
	return block->data;
}

void *counted_calloc(size_t items, size_t bytes)
{
	if (bytes && items > SIZE_MAX / bytes)
		return NULL;
	void *pointer = counted_malloc(items * bytes);
	if (pointer)
		memset(pointer, 0, items * bytes);
	return pointer;
}

void *counted_realloc(void *pointer, size_t bytes)
{
	void *next = counted_malloc(bytes);
	if (next && pointer) {
		size_t old = block_of(pointer)->bytes;
		memcpy(next, pointer, old < bytes ? old : bytes);
		counted_free(pointer);
	}
	return next;
}

void counted_free(void *pointer)
{
	if (!pointer)
		return;
	struct block *block = block_of(pointer);
	chip->memory_stats.native_bytes -= block->bytes;
	free(block);
}
