// Files that are whole or absent after a crash. Called by the image folder and by the secrets. It must not know what is
// in them.
import { randomUUID } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** A new or renamed file is durable only once its folder's own entry is (fsync(2)). */
export async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/**
 * Writes a file that only its owner can read, whole and on the disk when this resolves. One that exists already is left
 * as it is: a link, unlike a rename, never replaces.
 */
export async function writeSecretOnce(path: string, text: string): Promise<void> {
	const draft = `${path}.${randomUUID()}.new`;
	try {
		const file = await open(draft, "wx", 0o600);
		try {
			await file.writeFile(text);
			await file.sync();
		} finally {
			await file.close();
		}
		await link(draft, path).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== "EEXIST") throw error;
		});
	} finally {
		await rm(draft, { force: true });
	}
	await syncFolder(dirname(path));
}
