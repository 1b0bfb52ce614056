// Commands in what is printed, as whoever reads it has to type them: there is no program `fota` on the PATH of who started
// this through npm. Called where hints and next steps are printed. It must not know which command runs.
import type { Environment } from "../firmware/programs.js";

/** The scripts of package.json that start the command line. Others, such as npm test, say nothing about its user. */
const NPM_SCRIPTS = ["fota", "doctor", "firmware", "flash", "monitor", "qemu"];

/** "fota sign" becomes "npm run fota -- sign" where npm started this program. */
export function asTyped(text: string, environment: Environment): string {
	if (!NPM_SCRIPTS.includes(environment.npm_lifecycle_event ?? "")) return text;
	return text.replace(/(?<![\w./-])fota (?=[a-z<])/g, "npm run fota -- ");
}
