// A server whose image folder a test can look into.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { AppOptions } from "../../server/app.js";
import { type ImageFolderOptions, openImageFolder } from "../../server/stores/image-folder.js";
import { signStatement, statementFor } from "./release-kit.js";
import { createRigApp, ServerRig } from "./server-rig.js";

export class UploadRig extends ServerRig {
	#folder = "";

	static async open(options: AppOptions = {}, create?: ImageFolderOptions["create"]): Promise<UploadRig> {
		const folder = await mkdtemp(join(tmpdir(), "fota-upload-test-"));
		const images = await openImageFolder({ directory: folder, ...(create && { create }) });
		const rig = new UploadRig(await createRigApp({ ...options, images }));
		rig.#folder = folder;
		await rig.registerReleaseKey();
		return rig;
	}

	override async close(): Promise<void> {
		await super.close();
		await rm(this.#folder, { recursive: true });
	}

	/** Names of all files below the image folder. */
	async storedFiles(): Promise<string[]> {
		const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
		return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
	}

	async expectNothingLeft(): Promise<void> {
		expect(await this.storedFiles()).toEqual([]);
		expect((await this.get("/api/cloud/fota/releases")).json().releases).toEqual([]);
	}

	/** An upload in the JSON of the old system. */
	jsonBody(image: Uint8Array, changes: object = {}): Record<string, unknown> {
		const statement = statementFor(image);
		return {
			version: statement.version,
			size: image.length,
			hash: statement.hash,
			chunk_size: 16_384,
			firmware: Buffer.from(image).toString("base64"),
			release: signStatement(statement, this.releaseKey),
			...changes,
		};
	}
}
