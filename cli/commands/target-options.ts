// The options of the commands that are about one kind of board.
import { type Command, Option } from "commander";
import { CliError } from "../cli-error.js";
import type { BoardKind } from "../firmware/build-target.js";

export interface TargetOptions {
	readonly target: string;
	readonly flashMb: "4" | "8";
	readonly qemu?: boolean;
}

export function withTargetOptions(command: Command): Command {
	return command
		.option(
			"--target <platform>",
			"as mcconfig names it: esp32/nodemcu, esp32/esp32c3, esp32/esp32s3 or another board",
			"esp32/esp32c3",
		)
		.addOption(
			new Option("--flash-mb <size>", "flash of the board: 4, or 8 with a factory slot")
				.choices(["4", "8"])
				.default("4"),
		)
		.option("--qemu", "for Espressif's emulator: Ethernet in place of Wi-Fi (esp32/esp32c3)");
}

export function targetKind(options: TargetOptions): BoardKind {
	if (!options.qemu) return options.flashMb === "8" ? "8mb" : "4mb";
	if (options.flashMb === "8")
		throw new CliError("the emulated board has 4 MB", { hint: "Leave --flash-mb out with --qemu." });
	return "qemu";
}
