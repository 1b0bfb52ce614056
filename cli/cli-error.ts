// What went wrong, for a person: the message says what was seen, the hint what to do next. Thrown anywhere in cli/ and
// printed by main.ts, which ends with the exit code.

/** Documented in `fota --help`. */
export const EXIT_CODES = {
	/** A file or an argument is not what it should be. */
	input: 1,
	/** The server refused. */
	refused: 2,
	/** The server was not reached, or answered something else than HTTP. */
	unreachable: 3,
} as const;

export class CliError extends Error {
	readonly hint: string | undefined;
	readonly exitCode: number;

	constructor(
		message: string,
		options: {
			readonly hint?: string | undefined;
			readonly exitCode?: number | undefined;
			readonly cause?: unknown;
		} = {},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.hint = options.hint;
		this.exitCode = options.exitCode ?? EXIT_CODES.input;
	}
}
