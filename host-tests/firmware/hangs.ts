// A firmware that never gives the processor back: only the watchdog ends it.

export default function (): void {
	for (;;);
}
