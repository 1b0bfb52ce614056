// Somebody who pushes an image to a fake device, piece by piece.
import { expect } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { PushSink } from "../../src/update/ports.js";
import { FakeDevice } from "../fakes/fake-device.js";
import { type FakeRelease, fakeJws, fakeRelease } from "../fakes/fake-image.js";
import { MINUTE_MS } from "./offering.js";

export const PIECE_BYTES = 1436;

/** Somebody who pushes: sends piece by piece once it may, and notes what it is told. */
export class Sender {
	readonly device: FakeDevice;
	readonly release: FakeRelease;
	readonly ends: (FotaError | undefined)[] = [];
	sink: PushSink | undefined;
	sentBytes = 0;
	isReady = false;
	/** Bytes after which nothing more comes. */
	stopsAtBytes = Number.POSITIVE_INFINITY;

	constructor(device: FakeDevice, release: FakeRelease) {
		this.device = device;
		this.release = release;
	}

	/** The code of the refusal, or "accepted". */
	push(change: { readonly release?: string; readonly sizeBytes?: number } = {}): string {
		const offer = {
			release: fakeJws(this.release.statement),
			sizeBytes: this.release.image.length,
			...change,
		};
		try {
			this.sink = this.device.updater?.offerPush(offer, {
				onReady: () => {
					this.isReady = true;
				},
				onEnd: (error) => this.ends.push(error),
			});
			return "accepted";
		} catch (cause) {
			return cause instanceof FotaError ? cause.code : String(cause);
		}
	}

	/** One piece, as the network brings it. */
	step(): void {
		const { image } = this.release;
		if (!this.isReady || this.ends.length > 0 || this.sentBytes >= Math.min(image.length, this.stopsAtBytes))
			return;
		const count = Math.min(PIECE_BYTES, image.length - this.sentBytes);
		if (this.sink?.take(image, this.sentBytes, count)) this.sentBytes += count;
	}
}

/** A device that polled once, found nothing and is idle. */
export function idleDevice(): FakeDevice {
	const device = new FakeDevice();
	expect(device.run(MINUTE_MS, () => device.server.requests.includes("manifest"))).toBe(true);
	expect(device.run(MINUTE_MS, () => device.updater?.state === "IDLE")).toBe(true);
	return device;
}

export function started(change: Parameters<typeof fakeRelease>[0] = { version: "1.1.0" }): Sender {
	const sender = new Sender(idleDevice(), fakeRelease(change));
	expect(sender.push()).toBe("accepted");
	return sender;
}

/** Time passes, bytes come. */
export function run(sender: Sender, limitMs: number, isDone: () => boolean): boolean {
	return sender.device.run(limitMs, () => {
		sender.step();
		return isDone();
	});
}

/** Time passes until the slot is ready and `byteCount` bytes were sent. */
export function send(sender: Sender, byteCount: number): void {
	expect(run(sender, MINUTE_MS, () => sender.isReady)).toBe(true);
	while (sender.sentBytes < byteCount && sender.ends.length === 0) sender.step();
}
