// `fota monitor`: the serial log of a board.
import { Command } from "commander";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount } from "./arguments.js";

interface MonitorOptions {
	readonly port: string;
	readonly baud: number;
	readonly restart: boolean;
}

export function monitorCommand(shell: Shell): Command {
	return new Command("monitor")
		.summary("the serial log of a board")
		.description(
			"Restarts the board and prints what it says, until Ctrl+C. When the port goes away (reset of a board with " +
				"USB of its own, pulled cable) it waits and goes on. Control characters are left out.",
		)
		.requiredOption("--port <path>", "serial port of the board, such as /dev/ttyUSB0")
		.option("--baud <rate>", "speed of the firmware's log", parseCount, 115_200)
		.option("--no-restart", "only listen")
		.action(async (options: MonitorOptions) => {
			// Loaded only where they are needed: they bring native code for the serial port.
			const { monitorBoard } = await import("../serial/monitor-board.js");
			const { WebSerialPort } = await import("../serial/web-serial-port.js");
			const ending = new AbortController();
			// A second Ctrl+C ends the program where the first did not.
			const stopListening = shell.onSignal(() => {
				stopListening();
				ending.abort();
			});
			await monitorBoard({
				createPort: () => new WebSerialPort(options.port),
				baudRate: options.baud,
				isRestarted: options.restart,
				onText: (text) => shell.stdout.write(text),
				onNote: (note) => printLine(shell.stderr, `fota: ${note}`),
				signal: ending.signal,
			});
		});
}
