// A firmware that leaks until its heap is full, two seconds after boot. The chip's heap does not grow; the simulated one
// is bounded by --heap-slots, and here, so that a test without it ends too.
import main from "main";
import Timer from "timer";

const LEAK_MAX = 4_000_000;

export default function (): void {
	Timer.set(() => {
		const kept: object[] = [];
		while (kept.length < LEAK_MAX) kept.push({ leaked: kept.length });
		throw new Error(`broken on purpose: ${kept.length} objects and still memory`);
	}, 2000);
	main();
}
