// What went wrong with a serial port or the board behind it, for a person. Called by flash and monitor. Messages of the
// operating system come through the package serialport, those of the loader through esptool-js; both are plain texts.
import { CliError } from "../cli-error.js";
import { PERMISSION_HINT } from "./serial-ports.js";

/** For what SerialPort.open() says. */
export function openError(path: string, cause: Error): CliError {
	if (/no such (file|device)|cannot find|file not found/i.test(cause.message))
		return new CliError(`there is no serial port ${path}`, {
			hint: "Is the board plugged in, with a cable that carries data? fota doctor lists the ports.",
			cause,
		});
	if (/permission denied|access denied|EACCES/i.test(cause.message))
		return new CliError(`${path} may not be opened`, { hint: PERMISSION_HINT, cause });
	if (/temporarily unavailable|cannot lock|busy/i.test(cause.message))
		return new CliError(`${path} is in use`, {
			hint: "Close the program that has it open: fota monitor, a terminal, an editor's serial monitor.",
			cause,
		});
	return new CliError(`${path} cannot be opened: ${cause.message}`, { cause });
}

/** The port went away while it was open. */
export class PortLostError extends CliError {
	constructor(path: string, cause?: unknown) {
		super(`${path} is gone`, {
			hint: "Was the cable pulled, or the board switched off? Do it again.",
			cause,
		});
	}
}

/** For what esptool-js throws while it is at a board. `aftermath`: a sentence on what that leaves. */
export function flashError(
	path: string,
	cause: unknown,
	aftermath = "The board may not start now.",
): CliError {
	if (cause instanceof CliError) return cause;
	const message = cause instanceof Error ? cause.message : String(cause);
	if (/failed to connect/i.test(message))
		return new CliError(`no answer from a chip on ${path}`, {
			hint:
				"Hold the button BOOT, press and release RESET (or plug the cable in), release BOOT, " +
				"then run this again with --before no-reset.",
			cause,
		});
	if (/md5/i.test(message))
		return new CliError("the flash does not hold what was written to it", {
			hint: "The board will not start like this. Try again, with another cable or --baud 115200.",
			cause,
		});
	return new CliError(`the chip on ${path} did not go on: ${message.split("\n")[0]}`, {
		hint: `${aftermath} Try again, with another cable or --baud 115200.`,
		cause,
	});
}
