/*
 * What XS calls on its host: time, randomness, memory, reports, and the end of
 * everything (fxAbort). Used at run time and by the compiler, where there is no
 * chip. It must not know modules, archives or the event loop.
 */
#include "xsAll.h"

#include <sys/mman.h>

#include "chip.h"
#include "host.h"

/* Chunks live in one reserved range that grows in place, so that a heap of N
 * bytes is one block of N bytes as on the chip. */
#define CHUNK_RESERVE_BYTES (256u * 1024u * 1024u)

/* As many untouched slots in a row lie below the deepest use. */
#define STACK_GAP_SLOTS 24

static txByte *chunk_base;
static size_t chunk_bytes;
static bool has_promise_jobs;
static txSlot *stack_slots;
static txSize stack_slot_count;

int fota_gettimeofday(struct timeval *value, struct timezone *zone)
{
	(void)zone;
	if (!chip)
		return gettimeofday(value, NULL);
	int64_t us = host_wall_us();
	value->tv_sec = (time_t)(us / 1000000);
	value->tv_usec = (suseconds_t)(us % 1000000);
	return 0;
}

int fota_rand(void)
{
	return chip ? (int)(chip_random() & 0x7FFFFFFF) : rand();
}

int fota_vprintf(const char *format, va_list arguments)
{
	if (!chip)
		return vfprintf(stderr, format, arguments);
	chip_vprintf(format, arguments);
	return 0;
}

int fota_printf(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int result = fota_vprintf(format, arguments);
	va_end(arguments);
	return result;
}

void fxCreateMachinePlatform(txMachine *the)
{
	the->host = NULL;
}

void fxDeleteMachinePlatform(txMachine *the)
{
	(void)the;
}

void *fxAllocateChunks(txMachine *the, txSize bytes)
{
	(void)the;
	if (!chunk_base) {
		void *range = mmap(NULL, CHUNK_RESERVE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (range == MAP_FAILED)
			return NULL;
		chunk_base = range;
		chunk_bytes = 0;
	}
	if (bytes < 0 || (size_t)bytes > CHUNK_RESERVE_BYTES - chunk_bytes)
		return NULL;
	void *result = chunk_base + chunk_bytes;
	chunk_bytes += (size_t)bytes;
	return result;
}

void fxFreeChunks(txMachine *the, void *chunks)
{
	(void)the;
	munmap(chunks, CHUNK_RESERVE_BYTES);
	chunk_base = NULL;
}

/* The first slots a machine asks for are its stack: painted, so that its high
 * water mark can be read off later. */
txSlot *fxAllocateSlots(txMachine *the, txSize count)
{
	txSlot *slots = malloc((size_t)count * sizeof(txSlot));
	if (slots && !the->stackBottom) {
		memset(slots, HOST_STACK_PAINT, (size_t)count * sizeof(txSlot));
		stack_slots = slots;
		stack_slot_count = count;
	}
	return slots;
}

void fxFreeSlots(txMachine *the, void *slots)
{
	(void)the;
	free(slots);
}

static bool is_painted(const txSlot *slot)
{
	const unsigned char *bytes = (const unsigned char *)slot;
	for (size_t at = 0; at < sizeof(txSlot); at++) {
		if (bytes[at] != HOST_STACK_PAINT)
			return false;
	}
	return true;
}

/* From the top down to the first gap: regular expressions and number conversions use
 * the far end of the free stack as scratch memory. */
unsigned host_stack_peak_slots(void)
{
	txSize depth = 0, gap = 0;
	while (depth + gap < stack_slot_count && gap < STACK_GAP_SLOTS) {
		if (is_painted(&stack_slots[stack_slot_count - 1 - depth - gap])) {
			gap++;
		} else {
			depth += gap + 1;
			gap = 0;
		}
	}
	return (unsigned)depth;
}

void fxQueuePromiseJobs(txMachine *the)
{
	(void)the;
	has_promise_jobs = true;
}

void host_run_jobs(txMachine *the)
{
	while (has_promise_jobs) {
		has_promise_jobs = false;
		fxRunPromiseJobs(the);
	}
	fxEndJob(the);
}

static const char *abort_message(int status)
{
	switch (status) {
	case XS_STACK_OVERFLOW_EXIT: return "stack overflow";
	case XS_NOT_ENOUGH_MEMORY_EXIT: return "memory full";
	case XS_NO_MORE_KEYS_EXIT: return "not enough keys";
	case XS_DEAD_STRIP_EXIT: return "dead strip";
	case XS_UNHANDLED_EXCEPTION_EXIT: return "unhandled exception";
	case XS_UNHANDLED_REJECTION_EXIT: return "unhandled rejection";
	default: return "fatal";
	}
}

/* xsEndHost comes here with the stack still as deep as the exception was thrown:
 * back to where that host call began, and then as in a call of its own. */
static void print_exception(txMachine *the)
{
	txJump *jump = the->firstJump;
	if (jump && jump->stack) {
		the->stack = jump->stack;
		the->scope = jump->scope;
		the->frame = jump->frame;
		the->code = jump->code;
	}
	fxBeginHost(the);
	mxPush(mxException);
	mxTry(the) {
		if (mxIsReference(the->stack)) {
			mxDub();
			mxGetID(mxID(_stack));
			if (mxIsUndefined(the->stack))
				mxPop();
		}
		chip_printf("%s\n", fxToString(the, the->stack));
	}
	mxCatch(the) {
		chip_printf("(the exception cannot be shown)\n");
	}
}

/* As on a release chip: no way back, the chip restarts (reason SW). The chip
 * says nothing; here the reason is printed first. */
void fxAbort(txMachine *the, int status)
{
	if (!chip) {
		fprintf(stderr, "xs-fota-sim: XS gave up: %s\n", abort_message(status));
		exit(1);
	}
	chip_log("cpu", "XS abort: %s", abort_message(status));
	if (status == XS_UNHANDLED_EXCEPTION_EXIT || status == XS_UNHANDLED_REJECTION_EXIT)
		print_exception(the);
	chip_reset(CHIP_RESET_SW);
}
