// A small application on top of xs-fota: reads a sensor ten times a second and says how regularly it got to do so. It
// shows all that an application tells the updater. docs/application.md explains each line.

import main, { type UpdateProgress } from "main";
import { FotaSystem } from "native/fota-system";
import Timer from "timer";

const READ_EVERY_MS = 100;
const SAY_EVERY_READINGS = 20;
/** Older readings than this are a fault. */
const STALE_MS = 2000;

class Sensor {
	readonly #system = new FotaSystem();
	#lastReadMs = 0;
	#readingCount = 0;
	#longestPauseMs = 0;

	start(): void {
		this.#lastReadMs = this.#system.uptimeMs();
		Timer.set(() => this.#read(), READ_EVERY_MS, READ_EVERY_MS);
	}

	isHealthy(): boolean {
		return this.#readingCount > 0 && this.#system.uptimeMs() - this.#lastReadMs < STALE_MS;
	}

	/** Once a minute something is measured that must not be disturbed. */
	isMeasuring(): boolean {
		return this.#system.uptimeMs() % 60_000 < 1000;
	}

	show(progress: UpdateProgress): void {
		this.#system.print(`sensor: the update is ${progress.state}, ${progress.percent} %`);
	}

	#read(): void {
		const nowMs = this.#system.uptimeMs();
		this.#longestPauseMs = Math.max(this.#longestPauseMs, nowMs - this.#lastReadMs);
		this.#lastReadMs = nowMs;
		this.#readingCount++;
		if (this.#readingCount % SAY_EVERY_READINGS !== 0) return;
		this.#system.print(`sensor: ${this.#readingCount} readings, longest pause ${this.#longestPauseMs} ms`);
		this.#longestPauseMs = 0;
	}
}

export default function (): void {
	const sensor = new Sensor();
	sensor.start();
	main({
		healthChecks: [{ name: "sensor", isHealthy: () => sensor.isHealthy() }],
		isBusy: () => sensor.isMeasuring(),
		onProgress: (progress) => sensor.show(progress),
	});
}
