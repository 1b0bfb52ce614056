// `fota doctor`: looks at everything a build for a chip needs, and at the project's own safety settings.
import { Command } from "commander";
import { CliError } from "../cli-error.js";
import { findTarget } from "../firmware/build-target.js";
import { checkLines } from "../firmware/check.js";
import { checkProject } from "../firmware/project-checks.js";
import { checkToolchain } from "../firmware/toolchain.js";
import { asTyped } from "../render/as-typed.js";
import { printLine } from "../render/text.js";
import { checkSerialPorts } from "../serial/serial-ports.js";
import type { Shell } from "../shell.js";
import { type TargetOptions, targetKind, withTargetOptions } from "./target-options.js";

export function doctorCommand(shell: Shell): Command {
	const command = new Command("doctor")
		.summary("is everything there for a build and a board?")
		.description(
			"Looks at the tools (Moddable SDK, ESP-IDF, compiler, TypeScript), the serial ports, the partition table " +
				"and the settings that rollback depends on. A line each; ✗ says what to do, – what is not needed yet. Ends with 1 if one is ✗.",
		);
	return withTargetOptions(command).action(async (options: TargetOptions) => {
		const moddable = shell.environment.MODDABLE;
		const target = await findTarget({ platform: options.target, kind: targetKind(options), moddable });
		const [tools, ports, project] = await Promise.all([
			checkToolchain(shell.environment, target.chip),
			checkSerialPorts(),
			checkProject(target),
		]);
		// The emulator needs no serial port.
		const checks = [...tools, ...(target.kind === "qemu" ? [] : ports), ...project];
		for (const line of checkLines(checks)) printLine(shell.stdout, asTyped(line, shell.environment));
		const badCount = checks.filter(({ isOk }) => !isOk).length;
		if (badCount > 0)
			throw new CliError(`${badCount} of ${checks.length} checks failed`, {
				hint: "Do what → says, then run fota doctor again.",
			});
	});
}
