// What a backup is: a folder with `backup.json`, the database (`fota.db` or `database.dump`), `images/<hash>.bin`, and,
// only where it was asked for, `secrets/`. Written by backup.ts, read by restore.ts.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { FotaError } from "../../src/protocol/error-codes.js";

export const MANIFEST_FILE = "backup.json";
export const DATABASE_FILES = { sqlite: "fota.db", postgres: "database.dump" } as const;
export const IMAGES_FOLDER = "images";
export const SECRETS_FOLDER = "secrets";

const HashType = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Manifest = Type.Object({
	format: Type.Literal(1),
	database: Type.Union([Type.Literal("sqlite"), Type.Literal("postgres")]),
	database_sha256: HashType,
	created_at: Type.String(),
	migrations: Type.Array(Type.String()),
	images: Type.Array(HashType),
	has_secrets: Type.Boolean(),
});
export type BackupManifest = Static<typeof Manifest>;

/** Throws `request-malformed` for a folder that is no backup, or one of another kind of server. */
export async function readManifest(folder: string): Promise<BackupManifest> {
	let value: unknown;
	try {
		value = JSON.parse(await readFile(join(folder, MANIFEST_FILE), "utf8"));
	} catch (cause) {
		throw new FotaError("request-malformed", `${folder} is not a backup: no ${MANIFEST_FILE} in it`, {
			cause,
		});
	}
	if (!Check(Manifest, value))
		throw new FotaError("request-malformed", `${folder} is not a backup that this server knows`);
	return value;
}

export async function hashOfFile(path: string): Promise<string> {
	const hash = createHash("sha256");
	for await (const piece of createReadStream(path)) hash.update(piece);
	return hash.digest("hex");
}
