/*
 * See memory-marks.h. Called by the machine's start, the event loop and the
 * natives' binding; must not know what the application does.
 */
#include "xsAll.h"

#include "chip.h"
#include "host.h"
#include "memory-marks.h"

#define SLOT_BYTES 16u /* sizeof(txSlot) on a 32-bit chip */

extern void fxGrowSlots(txMachine *the, txSize count);

static txMachine *machine;
static txSize base_slots, base_chunk_bytes;
static unsigned base_stack_slots;
static unsigned turn_count;

static void raise_to(uint64_t *mark, uint64_t value)
{
	if (*mark < value)
		*mark = value;
}

static uint64_t above(txSize value, txSize base)
{
	return value > base ? (uint64_t)(value - base) : 0;
}

void memory_marks_begin(txMachine *the)
{
	fxCollectGarbage(the);
	machine = the;
	base_slots = the->currentHeapCount;
	base_chunk_bytes = the->currentChunksSize;
	base_stack_slots = (unsigned)(the->stackTop - the->stack);
	the->peakHeapCount = base_slots;
	the->peakChunksSize = base_chunk_bytes;
	memset(the->stackBottom, HOST_STACK_PAINT,
		(size_t)((char *)the->stack - (char *)the->stackBottom));
}

/* What is free beyond the wanted size is tied up for good. */
static void fill(txMachine *the, txSize slots, txSize bytes)
{
	static txSlot slot_filler, chunk_filler;
	if (slots > 0) {
		txSlot *last = fxNewInstance(the);
		while (--slots > 0) {
			last = last->next = fxNewSlot(the);
			last->kind = XS_UNDEFINED_KIND;
			last->flag = XS_INTERNAL_FLAG;
		}
		slot_filler = *the->stack;
		fxRemember(the, &slot_filler);
		mxPop();
	}
	if (bytes > 64) {
		fxArrayBuffer(the, &chunk_filler, NULL, bytes - 64, -1);
		fxRemember(the, &chunk_filler);
	}
}

void memory_marks_fix_heap(txMachine *the)
{
	txSize slots = (txSize)chip->options.heap_slots;
	txSize bytes = (txSize)chip->options.heap_chunk_bytes;
	if (!slots && !bytes)
		return;
	txSize free_bytes = the->maximumChunksSize - the->currentChunksSize;
	if (bytes > free_bytes) {
		fxNewChunk(the, bytes);
		fxCollectGarbage(the);
		free_bytes = the->maximumChunksSize - the->currentChunksSize;
	}
	txSize free_slots = the->maximumHeapCount - the->currentHeapCount;
	if (slots > free_slots) {
		fxGrowSlots(the, slots - free_slots + 1);
		free_slots = the->maximumHeapCount - the->currentHeapCount;
	}
	fill(the, slots ? free_slots - slots : 0, bytes ? free_bytes - bytes : 0);
	fxCollectGarbage(the);
	base_slots = the->currentHeapCount;
	base_chunk_bytes = the->currentChunksSize;
	if (slots)
		the->minimumHeapCount = 0;
	if (bytes)
		the->minimumChunksSize = 0;
	the->peakHeapCount = the->currentHeapCount;
	the->peakChunksSize = the->currentChunksSize;
}

static void note_peaks(txMachine *the)
{
	struct chip_memory_stats *stats = &chip->memory_stats;
	raise_to(&stats->slots_peak, above(the->peakHeapCount, base_slots));
	raise_to(&stats->chunk_peak_bytes, above(the->peakChunksSize, base_chunk_bytes));
}

static uint64_t note_live(txMachine *the)
{
	struct chip_memory_stats *stats = &chip->memory_stats;
	note_peaks(the);
	txSize peak_slots = the->peakHeapCount, peak_bytes = the->peakChunksSize;
	fxCollectGarbage(the);
	the->peakHeapCount = peak_slots;
	the->peakChunksSize = peak_bytes;
	uint64_t slots = above(the->currentHeapCount, base_slots);
	uint64_t bytes = above(the->currentChunksSize, base_chunk_bytes);
	uint64_t live = slots * SLOT_BYTES + bytes + stats->native_bytes;
	if (live > stats->live_peak_bytes) {
		stats->live_peak_bytes = live;
		stats->live_peak_slots = slots;
		stats->live_peak_chunk_bytes = bytes;
	}
	return live;
}

void memory_marks_turn(txMachine *the)
{
	turn_count++;
	if (!chip->options.measure_memory)
		return;
	struct chip_memory_stats *stats = &chip->memory_stats;
	uint64_t live = note_live(the);
	if (chip->flash_stats.first_erase_operation == 0)
		stats->idle_bytes = live;
	/* The first turn still holds what starting up left behind. */
	if (turn_count > 1 && (stats->idle_minimum_bytes == 0 || live < stats->idle_minimum_bytes))
		stats->idle_minimum_bytes = live;
}

void memory_marks_call(txMachine *the)
{
	if (chip->options.measure_memory && turn_count > 0)
		note_live(the);
}

void memory_marks_end(void)
{
	if (!machine)
		return;
	note_peaks(machine);
	unsigned stack = host_stack_peak_slots();
	raise_to(&chip->memory_stats.stack_slots_peak,
		stack > base_stack_slots ? stack - base_stack_slots : 0);
}

/* What bootloader and NVS erase before the application's first turn does not count. */
void chip_before_erase(void)
{
	if (turn_count > 1 && chip->flash_stats.first_erase_operation == 0)
		chip->flash_stats.first_erase_operation = chip->operation_count + 1;
}
