// Runs an ESP32-C3 in Espressif's QEMU over a flash file that it changes in place. Called by `fota qemu`. It must not know
// what is in the flash.
import { CliError } from "../cli-error.js";
import type { Shell } from "../shell.js";

export interface QemuRun {
	readonly program: string;
	/** Of 2, 4, 8 or 16 MB; changed as a chip changes its flash. */
	readonly flashPath: string;
	/** TCP port of this machine's loopback that leads to the device's push port; default none. */
	readonly pushPort?: number | undefined;
}

/** The device's own port for local push (docs/protocol.md). */
const DEVICE_PUSH_PORT = 3232;

/** The arguments; the network is QEMU's own, in which this machine is 10.0.2.2. */
export function qemuArguments(run: QemuRun): readonly string[] {
	const forward =
		run.pushPort === undefined ? "" : `,hostfwd=tcp:127.0.0.1:${run.pushPort}-:${DEVICE_PUSH_PORT}`;
	return [
		"-nographic",
		"-machine",
		"esp32c3",
		"-drive",
		// A comma in a file name is written twice (QEMU's option syntax).
		`file=${run.flashPath.replaceAll(",", ",,")},if=mtd,format=raw`,
		"-nic",
		`user,model=open_eth${forward}`,
		// Without it the emulated chip sometimes loses its tick.
		"-icount",
		"3",
	];
}

/** Until the emulator ends (Ctrl+A, then X), with this terminal as its serial port. Throws CliError when it fails. */
export async function runQemu(run: QemuRun, shell: Shell): Promise<void> {
	const child = shell.startHere(run.program, qemuArguments(run));
	// Ctrl+C reaches the emulator too, which then ends; this program waits for it.
	const stopListening = shell.onSignal((signal) => {
		if (signal === "SIGTERM") child.kill(signal);
	});
	try {
		const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
			child.once("error", reject);
			child.once("close", (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
		});
		const isEnded = code === 0 || signal === "SIGINT" || signal === "SIGTERM";
		if (!isEnded) throw new CliError(`QEMU ended with ${code ?? signal}`);
	} finally {
		stopListening();
	}
}
