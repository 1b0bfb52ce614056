// `fota monitor`: the serial log of a board.
import { Command } from "commander";
import { parseCount } from "./arguments.js";

interface MonitorOptions {
	readonly port: string;
	readonly baud: number;
	readonly restart: boolean;
}

export function monitorCommand(): Command {
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
			const end = () => ending.abort();
			for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, end);
			await monitorBoard({
				createPort: () => new WebSerialPort(options.port),
				baudRate: options.baud,
				isRestarted: options.restart,
				onText: (text) => process.stdout.write(text),
				onNote: (note) => process.stderr.write(`fota: ${note}\n`),
				signal: ending.signal,
			});
		});
}
