// The part of Moddable's timer that is used. Source: Moddable SDK 8.2.3, modules/base/timer/timer.js.

declare module "timer" {
	export default class Timer {
		private constructor();
		/** Without `repeatMs` it fires once. */
		static set(callback: (timer: Timer) => void, delayMs?: number, repeatMs?: number): Timer;
		static repeat(callback: (timer: Timer) => void, intervalMs: number): Timer;
		static schedule(timer: Timer, delayMs: number, repeatMs: number): void;
		static clear(timer: Timer | undefined): void;
	}
}
