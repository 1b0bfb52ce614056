/*
 * Writes --stats: one JSON object, its fields described in docs/simulator.md.
 * Called once, by main.c, when the run is over.
 */
#include "stats.h"

#include <inttypes.h>
#include <stdio.h>

#include "chip.h"

#define FIELD(LAST, NAME, VALUE) \
	fprintf(file, "\t\t\"%s\": %" PRIu64 "%s\n", NAME, (uint64_t)(VALUE), (LAST) ? "" : ",")

static const char *const end_names[] = {
	"none", "until", "stuck", "wall-time", "no-image", "boot-loop", "boots", "cut", "signal",
	"internal",
};

static const char *reset_name(uint32_t reason)
{
	switch (reason) {
	case CHIP_RESET_POWERON: return "POWERON";
	case CHIP_RESET_SW: return "SW";
	case CHIP_RESET_PANIC: return "PANIC";
	case CHIP_RESET_TASK_WDT: return "TASK_WDT";
	case CHIP_RESET_BROWNOUT: return "BROWNOUT";
	default: return "UNKNOWN";
	}
}

static void write_string(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < 0x20)
			fprintf(file, "\\u%04x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

static void write_resets(FILE *file)
{
	uint32_t count = chip->reset_count < CHIP_RESETS_MAX ? chip->reset_count : CHIP_RESETS_MAX;
	fprintf(file, "\t\"resets\": [");
	for (uint32_t i = 0; i < count; i++)
		fprintf(file, "%s{ \"reason\": \"%s\", \"virtualMs\": %" PRIu64 " }", i ? ", " : "",
			reset_name(chip->reset[i].reason), chip->reset[i].virtual_ms);
	fprintf(file, "],\n");
}

static void write_flash(FILE *file)
{
	const struct chip_flash_stats *flash = &chip->flash_stats;
	fprintf(file, "\t\"flash\": {\n");
	FIELD(0, "operations", chip->operation_count);
	FIELD(0, "sectorErases", flash->erase_sector_count);
	FIELD(0, "blockErases", flash->erase_block_count);
	FIELD(0, "programs", flash->program_count);
	FIELD(0, "programmedBytes", flash->programmed_bytes);
	FIELD(0, "erasedBytes", flash->erased_bytes);
	FIELD(0, "readBytes", flash->read_bytes);
	FIELD(0, "nvsWrites", flash->nvs_write_count);
	FIELD(0, "ruleBreaks", flash->rule_break_count);
	FIELD(1, "failures", flash->failed_count);
	fprintf(file, "\t},\n");
}

static void write_memory(FILE *file)
{
	const struct chip_memory_stats *memory = &chip->memory_stats;
	fprintf(file, "\t\"xs\": {\n");
	FIELD(0, "slotsPeak", memory->slots_peak);
	FIELD(0, "chunkBytesPeak", memory->chunk_peak_bytes);
	FIELD(0, "stackPeak", memory->stack_slots_peak);
	FIELD(0, "codeBytes", memory->code_bytes);
	FIELD(0, "nativePeakBytes", memory->native_peak_bytes);
	FIELD(0, "livePeakBytes", memory->live_peak_bytes);
	FIELD(0, "livePeakSlots", memory->live_peak_slots);
	FIELD(0, "livePeakChunkBytes", memory->live_peak_chunk_bytes);
	FIELD(0, "idleBytes", memory->idle_bytes);
	FIELD(1, "idleMinimumBytes", memory->idle_minimum_bytes);
	fprintf(file, "\t},\n");
}

int stats_write(const char *path, int exit_code)
{
	FILE *file = fopen(path, "w");
	if (!file) {
		perror("xs-fota-sim: --stats");
		return 0;
	}
	fprintf(file, "{\n\t\"end\": \"%s\",\n\t\"exitCode\": %d,\n", end_names[chip->end], exit_code);
	fprintf(file, "\t\"until\": ");
	if (chip->end == CHIP_END_UNTIL)
		write_string(file, chip->options.until[chip->until_index]);
	else
		fprintf(file, "null");
	fprintf(file, ",\n\t\"boots\": %" PRIu32 ",\n", chip->boot_count);
	write_resets(file);
	fprintf(file, "\t\"virtualMs\": %" PRIu64 ",\n", chip->now_us / 1000u);
	write_flash(file);
	fprintf(file, "\t\"network\": {\n");
	FIELD(0, "connects", chip->network_stats.connect_count);
	FIELD(0, "txBytes", chip->network_stats.tx_bytes);
	FIELD(0, "rxBytes", chip->network_stats.rx_bytes);
	FIELD(1, "heldPeakBytes", chip->network_stats.held_peak_bytes);
	fprintf(file, "\t},\n");
	write_memory(file);
	fprintf(file, "\t\"slot\": ");
	write_string(file, chip->booted.label);
	fprintf(file, "\n}\n");
	return fclose(file) == 0;
}
