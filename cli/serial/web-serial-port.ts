// A serial port of this machine in the shape of a browser's Web Serial, which is what esptool-js talks to. Made by flash
// and monitor. It must not know what is said over it.
import { stat } from "node:fs/promises";
import { SerialPort } from "serialport";
import { openError, PortLostError } from "./serial-errors.js";
import { type UsbIds, usbIdsOf } from "./serial-ports.js";

/** A write that the port does not take for so long will never be taken. */
const WRITE_TIMEOUT_MS = 10_000;
/** Reads of a port that is gone may go on and bring nothing, so its entry in the file system is watched as well. */
const WATCH_MS = 250;

export interface Signals {
	readonly dataTerminalReady?: boolean;
	readonly requestToSend?: boolean;
	readonly break?: boolean;
}

export class WebSerialPort {
	readonly path: string;
	readable: ReadableStream<Uint8Array> | null = null;
	writable: WritableStream<Uint8Array> | null = null;
	#port: SerialPort | undefined;
	#signals = { dtr: false, rts: false, brk: false };
	#usbIds: UsbIds = {};
	#reportLoss: (error: PortLostError) => void = () => {};
	/** Rejects when the port goes away while it is open; never resolves. */
	readonly lost: Promise<never>;

	constructor(path: string) {
		this.path = path;
		this.lost = new Promise((_, reject) => {
			this.#reportLoss = reject;
		});
		// Whoever does not wait for it is told by its reads and writes.
		this.lost.catch(() => {});
	}

	/** Throws CliError. */
	async open(options: { readonly baudRate: number }): Promise<void> {
		this.#usbIds = await usbIdsOf(this.path);
		const port = new SerialPort({ path: this.path, baudRate: options.baudRate, autoOpen: false });
		await new Promise<void>((resolve, reject) =>
			port.open((error) => (error ? reject(openError(this.path, error)) : resolve())),
		);
		this.#port = port;
		this.readable = this.#readFrom(port);
		this.writable = new WritableStream({ write: (bytes) => this.#write(port, bytes) });
	}

	#readFrom(port: SerialPort): ReadableStream<Uint8Array> {
		let isOver = false;
		return new ReadableStream({
			cancel: () => {
				isOver = true;
			},
			start: (controller) => {
				const end = (finish: () => void) => {
					if (isOver) return;
					isOver = true;
					finish();
				};
				const lose = (cause?: unknown) => {
					// It was closed here.
					if (this.#port !== port) return end(() => controller.close());
					const error = new PortLostError(this.path, cause);
					end(() => controller.error(error));
					this.#reportLoss(error);
				};
				port.on("data", (bytes: Buffer) => {
					if (!isOver) controller.enqueue(new Uint8Array(bytes));
				});
				port.on("error", lose);
				port.on("close", lose);
				void this.#watch(port, lose);
			},
		});
	}

	/** A board that is plugged in again has the same path, but is another file. */
	async #watch(port: SerialPort, lose: () => void): Promise<void> {
		const inode = () =>
			stat(this.path).then(
				({ ino }) => ino,
				() => undefined,
			);
		const before = await inode();
		const timer = setInterval(async () => {
			const isSame = (await inode()) === before;
			if (isSame && port.isOpen) return;
			clearInterval(timer);
			lose();
		}, WATCH_MS);
	}

	async #write(port: SerialPort, bytes: Uint8Array): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			const timer = setTimeout(() => reject(new PortLostError(this.path)), WRITE_TIMEOUT_MS);
			const settle = (error?: Error | null) => {
				clearTimeout(timer);
				if (error) reject(error);
				else resolve();
			};
			port.write(Buffer.from(bytes), (error) => (error ? settle(error) : port.drain(settle)));
		});
	}

	/** The lines not named stay as they are; serialport itself would set them to defaults. */
	async setSignals(signals: Signals): Promise<void> {
		this.#signals = {
			dtr: signals.dataTerminalReady ?? this.#signals.dtr,
			rts: signals.requestToSend ?? this.#signals.rts,
			brk: signals.break ?? this.#signals.brk,
		};
		await this.applySignals(this.#signals);
	}

	/** Overridden by tests, whose pseudo-terminals have no such lines. */
	protected async applySignals(signals: { dtr: boolean; rts: boolean; brk: boolean }): Promise<void> {
		await this.#asked((port, done) => port.set(signals, done));
	}

	/** esptool-js looks for it, and so need not close the port, which would reset many boards. */
	async setBaudRate(baudRate: number): Promise<void> {
		await this.#asked((port, done) => port.update({ baudRate }, done));
	}

	async #asked(ask: (port: SerialPort, done: (error: Error | null) => void) => void): Promise<void> {
		const port = this.#port;
		if (!port) throw new PortLostError(this.path);
		await new Promise<void>((resolve, reject) =>
			ask(port, (error) => (error ? reject(new PortLostError(this.path, error)) : resolve())),
		);
	}

	getInfo(): UsbIds {
		return this.#usbIds;
	}

	/** Idempotent; also for a port that is gone. */
	async close(): Promise<void> {
		const port = this.#port;
		this.#port = undefined;
		if (port?.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
		this.readable = null;
		this.writable = null;
	}
}

/** Restarts the chip into its firmware: RTS pulls its reset line, DTR released leaves it in no download mode. */
export async function restartChip(port: WebSerialPort): Promise<void> {
	await port.setSignals({ dataTerminalReady: false, requestToSend: true });
	await new Promise((resolve) => setTimeout(resolve, 100));
	await port.setSignals({ dataTerminalReady: false, requestToSend: false });
}
