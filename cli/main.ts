// The command line's process: hands its arguments, streams and signals to program.ts, and ends with the exit code. The
// only file of cli/ that touches them. `npm run fota -- <command>`.
import { spawn } from "node:child_process";
import { runCommand } from "./program.js";
import type { EndingSignal, Shell } from "./shell.js";

type Listener = (signal: EndingSignal) => void;

const listeners = new Set<Listener>();
const tellListeners = (signal: EndingSignal) => {
	for (const listener of [...listeners]) listener(signal);
};

// A signal that nobody listens for ends the process, as the system has it.
function onSignal(listener: Listener): () => void {
	const names = ["SIGINT", "SIGTERM"] as const;
	if (listeners.size === 0) for (const name of names) process.on(name, tellListeners);
	listeners.add(listener);
	return () => {
		const wasThere = listeners.delete(listener);
		if (wasThere && listeners.size === 0) for (const name of names) process.off(name, tellListeners);
	};
}

// Who reads the output may leave early, as `head` does. What was begun (a flash, an upload) goes on to its end and has
// its own exit code; only what would run until Ctrl+C ends.
function forgiveClosed(stream: NodeJS.WriteStream): void {
	stream.on("error", (error: NodeJS.ErrnoException) => {
		if (error.code !== "EPIPE") throw error;
		tellListeners("SIGTERM");
	});
}

const shell: Shell = {
	environment: process.env,
	// Opened when it is asked for.
	get stdin() {
		return process.stdin;
	},
	stdout: process.stdout,
	stderr: process.stderr,
	onSignal,
	startHere: (program, args) => spawn(program, args, { stdio: "inherit" }),
};

for (const stream of [process.stdout, process.stderr]) forgiveClosed(stream);
process.exitCode = await runCommand(process.argv.slice(2), shell);
