/*
 * Creates the XS machine, binds the natives, runs the entry module. Called once a
 * boot by app.c, with the modules already opened. The sizes are those of a chip
 * only with --heap-slots, --heap-chunks and --stack; else the heap grows.
 */
#include "xsAll.h"

#include "chip.h"
#include "event-loop.h"
#include "host.h"
#include "machine.h"
#include "memory-marks.h"
#include "modules.h"
#include "native-binding.h"

#define STACK_SLOTS_DEFAULT 4096
/* The machine keeps its own values at the top of the stack. */
#define STACK_SLOTS_OWN (mxStackIndexCount + 16)

static txMachine *create(void)
{
	txCreation creation = {
		.initialChunkSize = 256 * 1024,
		.incrementalChunkSize = 64 * 1024,
		.initialHeapCount = 16 * 1024,
		.incrementalHeapCount = 4 * 1024,
		.stackCount = STACK_SLOTS_DEFAULT + STACK_SLOTS_OWN,
		.initialKeyCount = 4096,
		.incrementalKeyCount = 512,
		.nameModulo = 1993,
		.symbolModulo = 127,
		.parserBufferSize = 1024,
		.parserTableModulo = 127,
	};
	if (chip->options.stack_slots)
		creation.stackCount = (txSize)chip->options.stack_slots + STACK_SLOTS_OWN;
	if (chip->options.heap_slots)
		creation.initialHeapCount = creation.incrementalHeapCount = 512;
	if (chip->options.heap_chunk_bytes)
		creation.initialChunkSize = creation.incrementalChunkSize = 1024;
	txMachine *the = fxCreateMachine(&creation, "application", NULL, XS_NO_ID);
	if (!the) {
		chip_log("cpu", "no machine: out of memory");
		chip_reset(CHIP_RESET_PANIC);
	}
	return the;
}

static void prepare(txMachine *the)
{
	fxBeginHost(the);
	modules_link(the);
	native_binding_install(the);
	fxEndHost(the);
	fxBeginHost(the);
	mxTry(the) {
		modules_preload(the);
	}
	mxCatch(the) {
		fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
	}
	fxEndHost(the);
	host_run_jobs(the);
	memory_marks_begin(the);
	fxBeginHost(the);
	memory_marks_fix_heap(the);
	fxEndHost(the);
}

static void run_entry(txMachine *the)
{
	fxBeginHost(the);
	mxTry(the) {
		mxPushStringC((txString)modules_entry());
		fxAwaitImport(the, XS_IMPORT_DEFAULT);
		if (fxIsCallable(the, the->stack)) {
			txSlot function = *the->stack;
			mxPop();
			mxPushUndefined();
			mxPush(function);
			mxCall();
			mxRunCount(0);
		}
		mxPop();
	}
	mxCatch(the) {
		fxAbort(the, XS_UNHANDLED_EXCEPTION_EXIT);
	}
	fxEndHost(the);
}

_Noreturn void machine_run(void)
{
	txMachine *the = create();
	prepare(the);
	chip->memory_stats.code_bytes = modules_code_bytes();
	run_entry(the);
	event_loop_run(the);
}
