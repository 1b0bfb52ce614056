// What the command line has from whoever starts it: environment, input, outputs, Ctrl+C. main.ts makes one of the process,
// tests make their own. Handed to every command; it must not know any of them.
import type { ChildProcess } from "node:child_process";
import type { Environment } from "./firmware/programs.js";

/** A stream that text is written to; a terminal says how wide it is. */
export interface Output {
	readonly write: (text: string | Uint8Array) => unknown;
	readonly isTTY?: boolean | undefined;
	/** Characters of a line; a terminal's alone. */
	readonly columns?: number | undefined;
}

export type EndingSignal = "SIGINT" | "SIGTERM";

export interface Shell {
	readonly environment: Environment;
	readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
	/** Results. */
	readonly stdout: Output;
	/** Everything else. */
	readonly stderr: Output;
	/** From now on `listener` hears of Ctrl+C and SIGTERM, which no longer end the program; what it returns undoes that. */
	readonly onSignal: (listener: (signal: EndingSignal) => void) => () => void;
	/** Starts a program that takes over this terminal, input and outputs. */
	readonly startHere: (program: string, args: readonly string[]) => ChildProcess;
}
