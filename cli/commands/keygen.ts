// `fota keygen`: makes the operator's release key.
import { Command } from "commander";
import { createReleaseKey, saveReleaseKey } from "../release/release-key.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";

export function keygenCommand(shell: Shell): Command {
	return new Command("keygen")
		.summary("make a release key")
		.description(
			"Makes the key that signs releases (ECDSA P-256). The private half stays with you: keep it off the " +
				"server and keep a copy, because devices accept only what it signs. Nothing is overwritten.",
		)
		.option("--out <folder>", "where release.key and release.pub are written", "keys")
		.action(async (options: { out: string }) => {
			const key = createReleaseKey();
			const files = await saveReleaseKey(key, options.out);
			printLine(shell.stdout, "release key made");
			printFacts(shell.stdout, { "key id": key.keyId, private: files.privatePath, public: files.publicPath });
		});
}
