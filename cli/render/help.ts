// How `--help` arranges options: what must be given stands apart from what may be. Called by main.ts for every command.
// It must not know what the options mean. Lines are as long as the terminal is wide (commander's own doing), so
// descriptions hold no line breaks.
import type { Command } from "commander";

/** Headings of the groups that several commands have. */
export const HELP_GROUPS = { required: "Required:", server: "Server:", other: "Options:" } as const;

/** An option that names a group of its own keeps it. */
export function arrangeHelp(command: Command): Command {
	for (const option of command.options)
		option.helpGroupHeading ??= option.mandatory ? HELP_GROUPS.required : HELP_GROUPS.other;
	return command;
}
