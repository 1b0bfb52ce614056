// The command line as a function: runs one command in the shell it is given, prints errors, returns the exit code. Called
// by main.ts with the process's own shell, and by tests. It must not touch the process.
import { Command, CommanderError } from "commander";
import { CliError, EXIT_CODES } from "./cli-error.js";
import { buildCommand } from "./commands/build.js";
import { doctorCommand } from "./commands/doctor.js";
import { firmwareCommand } from "./commands/firmware.js";
import { flashCommand } from "./commands/flash.js";
import { keygenCommand } from "./commands/keygen.js";
import { logsCommand } from "./commands/logs.js";
import { monitorCommand } from "./commands/monitor.js";
import { provisionCommand } from "./commands/provision.js";
import { publishCommand } from "./commands/publish.js";
import { pushCommand } from "./commands/push.js";
import { qemuCommand } from "./commands/qemu.js";
import { rollbackCommand } from "./commands/rollback.js";
import { settingsCommand } from "./commands/settings.js";
import { signCommand } from "./commands/sign.js";
import { statusCommand } from "./commands/status.js";
import { webManifestCommand } from "./commands/web-manifest.js";
import { asTyped } from "./render/as-typed.js";
import { arrangeHelp } from "./render/help.js";
import { lineWidth, printError } from "./render/text.js";
import type { Shell } from "./shell.js";

/** Of help that no terminal is there for. */
const HELP_COLUMNS = 80;

const HELP = `
From key to update (in this folder, fota is: npm run fota --):
  fota keygen                            once; keep keys/release.key safe
  fota build --version 1.0.0             an image for the simulator
  fota provision --device-id board-1 --device-type sensor \\
      --release-key keys/release.pub --host 192.168.1.10 --port 8080 \\
      --image build/images/1.0.0.bin --out board-1.flash
  fota build --version 1.1.0
  fota sign build/images/1.1.0.bin \\
      --key keys/release.key --device-type sensor
  fota publish build/images/1.1.0.bin --release-key keys/release.pub
  fota status                            what the devices report

With a board (docs/device.md has all of it):
  fota doctor                            is everything there?
  fota firmware                          build for a chip
  fota flash --port /dev/ttyUSB0 --identity board-1.id
  fota monitor --port /dev/ttyUSB0
  fota settings --port /dev/ttyUSB0 --set server=192.168.1.20:8080

Environment:
  MODDABLE, IDF_PATH   Moddable SDK and ESP-IDF, for builds for a chip
  FOTA_SERVER   address of the server, instead of --server
  FOTA_TOKEN    a token of the server, instead of --token

Exit codes:
  0   done
  ${EXIT_CODES.input}   wrong argument or file
  ${EXIT_CODES.refused}   the server or the device refused
  ${EXIT_CODES.unreachable}   the server or the device was not reached
`;

/** `args` are those behind the program's name. Throws what is a defect of the program. */
export async function runCommand(args: readonly string[], shell: Shell): Promise<number> {
	try {
		await createProgram(shell).parseAsync(args, { from: "user" });
		return 0;
	} catch (error) {
		// Commander has printed its own message.
		if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CODES.input;
		if (!(error instanceof CliError)) throw error;
		printError(shell, error);
		return error.exitCode;
	}
}

function createProgram(shell: Shell): Command {
	const program = new Command("fota")
		.description("Signs firmware releases, publishes them, and provisions the devices that install them.")
		.addHelpText("after", HELP)
		.showHelpAfterError(asTyped("(fota <command> --help says more)", shell.environment))
		.configureOutput({
			writeOut: (text) => shell.stdout.write(text),
			// Help as well, where no command is given: that says itself how fota is typed.
			writeErr: (text) => shell.stderr.write(text),
			getOutHelpWidth: () => lineWidth(shell.stdout, HELP_COLUMNS),
			getErrHelpWidth: () => lineWidth(shell.stderr, HELP_COLUMNS),
		});
	const commands = [
		keygenCommand(shell),
		buildCommand(shell),
		signCommand(shell),
		publishCommand(shell),
		pushCommand(shell),
		provisionCommand(shell),
		statusCommand(shell),
		rollbackCommand(shell),
		logsCommand(shell),
		doctorCommand(shell),
		firmwareCommand(shell),
		flashCommand(shell),
		monitorCommand(shell),
		settingsCommand(shell),
		webManifestCommand(shell),
		qemuCommand(shell),
	];
	for (const command of commands)
		program.addCommand(arrangeHelp(command).copyInheritedSettings(program).exitOverride());
	return program.exitOverride();
}
