/*
 * How much memory the machine and our C use, as it would be on a chip: 16 bytes a
 * slot, the engine's own objects left out (they lie in flash there). Results go to
 * chip->memory_stats.
 */
#ifndef FOTA_MEMORY_MARKS_H
#define FOTA_MEMORY_MARKS_H

struct sxMachine;

/* The machine is ready and empty: what it uses now is not the application's. */
void memory_marks_begin(struct sxMachine *the);
/* After every turn of the event loop, and with --measure-memory at every call of
 * a C native: collects garbage and notes what lives. */
void memory_marks_turn(struct sxMachine *the);
void memory_marks_call(struct sxMachine *the);
/* Writes down the high-water marks; the process is about to end. */
void memory_marks_end(void);

/* Makes the heaps fixed: --heap-slots, --heap-chunks. After memory_marks_begin. */
void memory_marks_fix_heap(struct sxMachine *the);

#endif
