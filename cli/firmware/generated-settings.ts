// Whether ESP-IDF was configured as the project wants: mcconfig merges the project's settings into those of the SDK, and a
// line that it lost would be seen on a device only when that does not come back. Called by firmware-runner.ts after a build.
// It must not know how one is run.
import { CliError } from "../cli-error.js";
import { parseSettings, VERSION_SETTING, WANTED } from "./project-checks.js";

/** Where the bootloader and the firmware look for the table. */
const TABLE_SETTINGS = [
	["CONFIG_PARTITION_TABLE_CUSTOM", "y"],
	["CONFIG_PARTITION_TABLE_OFFSET", "0x8000"],
] as const;
/** Threat: a core dump on the serial port has the device's key in it. */
const SECRET_SETTINGS = [["CONFIG_ESP_COREDUMP_ENABLE_TO_UART", "n"]] as const;

/** `text` is the sdkconfig that was built with. Throws CliError that names the first line that is not as wanted. */
export function checkGenerated(text: string | undefined, wanted: { readonly version: string }): void {
	if (text === undefined)
		throw new CliError("the build left no sdkconfig", {
			hint: "It should lie beside ESP-IDF's build folder; is this SDK another one than fota doctor takes?",
		});
	const settings = parseSettings(text);
	const lines = [
		...WANTED.map(({ name, value }) => [name, value] as const),
		...TABLE_SETTINGS,
		...SECRET_SETTINGS,
		[VERSION_SETTING, `"${wanted.version}"`] as const,
	];
	for (const [name, value] of lines) {
		const is = settings.get(name);
		if (is === value || (value === "n" && isOff(is))) continue;
		throw new CliError(`the firmware was built with ${name} ${is ?? "not set"}, not ${value}`, {
			hint: "Another manifest or the SDK's base overrides it; after a change of either, mcconfig -t clean, then build again.",
		});
	}
}

/** A comment says so, or nothing does. */
function isOff(value: string | undefined): boolean {
	return value === undefined || value === "n" || value === "";
}
