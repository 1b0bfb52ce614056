// Shows what a board says on its serial port, and goes on when the port goes away and comes back. Called by
// `fota monitor`. It must not know what the lines mean.
import { setTimeout as delay } from "node:timers/promises";
import { CliError } from "../cli-error.js";
import { PortLostError } from "./serial-errors.js";
import { SerialText } from "./serial-text.js";
import { restartChip, type WebSerialPort } from "./web-serial-port.js";

const REOPEN_MS = 500;
const SILENCE_MS = 10_000;

export interface Monitoring {
	/** A new port each time it is opened. */
	readonly createPort: () => WebSerialPort;
	readonly baudRate: number;
	/** Restarts the chip when the port is opened for the first time, so that its log is seen from the beginning. */
	readonly isRestarted: boolean;
	readonly onText: (text: string) => void;
	/** It listens, hears nothing, the port went or is back. */
	readonly onNote: (note: string) => void;
	/** Silence from the beginning after which it says what that may be. Default: 10,000. */
	readonly silenceMs?: number | undefined;
	/** Ends it. */
	readonly signal: AbortSignal;
}

/** Resolves when the signal comes. Throws CliError when the port cannot be opened in the first place. */
export async function monitorBoard(monitoring: Monitoring): Promise<void> {
	const { onNote } = monitoring;
	const port = monitoring.createPort();
	await port.open({ baudRate: monitoring.baudRate });
	onNote(`listening on ${port.path} at ${monitoring.baudRate}; Ctrl+C ends`);
	if (monitoring.isRestarted) await restartChip(port);
	const silence = setTimeout(() => onNote(SILENCE_NOTE), monitoring.silenceMs ?? SILENCE_MS);
	try {
		await listen(port, {
			...monitoring,
			onText: (text) => {
				clearTimeout(silence);
				monitoring.onText(text);
			},
		});
	} finally {
		clearTimeout(silence);
	}
}

const SILENCE_NOTE =
	"nothing heard yet. Does the board have another USB socket (its log is on UART 0), another speed (--baud), or a " +
	"firmware at all?";

async function listen(first: WebSerialPort, monitoring: Monitoring): Promise<void> {
	const { signal, onNote } = monitoring;
	let port = first;
	while (!signal.aborted) {
		await show(port, monitoring);
		if (signal.aborted) return;
		onNote(`${port.path} is gone; waiting for it to come back`);
		const again = await reopen(monitoring);
		if (!again) return;
		port = again;
		onNote(`${port.path} is back`);
	}
}

/** Until the port goes away or the signal comes; closes it. */
async function show(port: WebSerialPort, { onText, signal }: Monitoring): Promise<void> {
	const text = new SerialText();
	const reader = port.readable?.getReader();
	const stop = () => void reader?.cancel().catch(() => {});
	signal.addEventListener("abort", stop, { once: true });
	try {
		for (;;) {
			const piece = await reader?.read();
			if (!piece || piece.done || signal.aborted) return;
			onText(text.push(piece.value));
		}
	} catch (error) {
		if (!(error instanceof PortLostError)) throw error;
	} finally {
		signal.removeEventListener("abort", stop);
		reader?.releaseLock();
		await port.close();
	}
}

async function reopen({ createPort, baudRate, signal }: Monitoring): Promise<WebSerialPort | undefined> {
	while (!signal.aborted) {
		await delay(REOPEN_MS, undefined, { signal }).catch(() => {});
		if (signal.aborted) break;
		const port = createPort();
		try {
			await port.open({ baudRate });
			return port;
		} catch (error) {
			// Not there yet, or not yet ours: the system gives it its group a moment after it appears.
			if (!(error instanceof CliError)) throw error;
		}
	}
	return undefined;
}
