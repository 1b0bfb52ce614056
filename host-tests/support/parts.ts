// Folders of parts as `fota firmware` leaves them, with a real image and table; the bootloader is noise behind its first
// byte.
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeParts, PART_FILES, writePartsManifest } from "../../cli/firmware/parts-folder.js";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { buildIdentityPartition } from "../../cli/image/flash-image.js";
import { encodePartitionTable, type Partition, projectPartitions } from "../../cli/image/partition-table.js";
import { createReleaseKey } from "../../cli/release/release-key.js";
import { IMAGE_MAGIC } from "../../src/protocol/esp-image.js";
import { DEFAULT_SETTINGS } from "../../src/protocol/identity.js";
import type { Chip } from "../../src/protocol/release-statement.js";

export interface PartsOptions {
	readonly chip: Chip;
	readonly name?: string;
	readonly version?: string;
	readonly imageBytes?: number;
	readonly partitions?: readonly Partition[];
}

export interface WrittenParts {
	readonly image: Uint8Array;
	readonly bootloader: Uint8Array;
	readonly table: Uint8Array;
}

export async function writeParts(folder: string, options: PartsOptions): Promise<WrittenParts> {
	const { chip, version = "1.2.3", name = "xs-fota" } = options;
	const partitions = options.partitions ?? projectPartitions();
	const image = testImage({ chip, version, sizeBytes: options.imageBytes ?? 80 * 1024 });
	const bootloader = noise(20_000);
	bootloader[0] = IMAGE_MAGIC;
	const table = encodePartitionTable(partitions).subarray(0, 0xc00);
	await mkdir(folder, { recursive: true });
	await writeFile(join(folder, PART_FILES.bootloader), bootloader);
	await writeFile(join(folder, PART_FILES.table), table);
	await writeFile(join(folder, PART_FILES.otadata), new Uint8Array(0x2000).fill(0xff));
	await writeFile(join(folder, PART_FILES.firmware), image);
	await writePartsManifest(join(folder, "manifest.json"), describeParts({ name, version, chip, partitions }));
	return { image, bootloader, table };
}

export function testImage(options: { chip: Chip; version: string; sizeBytes?: number }): Uint8Array {
	return buildEspImage({ projectName: "xs_esp32", payload: new Uint8Array(64), ...options });
}

/** The same bytes for the same length; they do not compress. */
export function noise(length: number): Uint8Array {
	const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
		createHash("sha256").update(`noise ${index}`).digest(),
	);
	return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
}

export function testIdentity(): Uint8Array {
	return buildIdentityPartition({
		deviceId: "board-1",
		deviceKey: noise(32),
		deviceType: "sensor",
		releaseKeys: [createReleaseKey().publicKey],
		server: { host: "10.0.2.2", port: 8080 },
		settings: DEFAULT_SETTINGS,
	});
}
