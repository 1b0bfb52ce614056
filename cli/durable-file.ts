// Writes files that must be whole or absent after a crash: keys, and what devices are provisioned with. Called by the
// commands and by release/. It must not know what is in them.
import { randomUUID } from "node:crypto";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export interface DurableFileOptions {
	readonly mode: number;
	/** True: fails with EEXIST when the file is there. False: takes its place; who has it open keeps the old one. */
	readonly isNew: boolean;
}

/** On the disk when it resolves. */
export async function writeDurably(
	path: string,
	bytes: Uint8Array | string,
	options: DurableFileOptions,
): Promise<void> {
	const draft = `${path}.${randomUUID()}.new`;
	try {
		const file = await open(draft, "wx", options.mode);
		try {
			await file.writeFile(bytes);
			await file.sync();
		} finally {
			await file.close();
		}
		await (options.isNew ? link(draft, path) : rename(draft, path));
	} finally {
		await rm(draft, { force: true });
	}
	await syncFolder(dirname(path));
}

// A new name is durable only once its folder is (fsync(2)).
async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
