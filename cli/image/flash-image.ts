// A whole flash file for a simulated device, and the look into one: partition table, identity, application in its first
// slot, everything else erased, as a board leaves the factory. Called by `fota provision`, the demo and tests. It must not
// know how a device updates itself.
import {
	encodeIdentity,
	encodeIdentityRecord,
	IDENTITY_PARTITION,
	IDENTITY_SECTORS,
	type Identity,
} from "../../src/protocol/identity.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import {
	decodePartitionTable,
	encodePartitionTable,
	type Partition,
	parsePartitionsCsv,
	projectPartitions,
	TABLE_OFFSET,
} from "./partition-table.js";

const FLASH_STEP_BYTES = 1024 * 1024;

export interface FlashOptions {
	readonly identity: Identity;
	/** For factory where there is one, else for ota_0. Without it the device has nothing to boot. */
	readonly image?: Uint8Array | undefined;
	/** Default: the project's partitions.csv. */
	readonly partitions?: readonly Partition[] | undefined;
}

/** The identity partition: both sectors, the second one erased. */
export function buildIdentityPartition(identity: Identity): Uint8Array {
	const bytes = new Uint8Array(IDENTITY_SECTORS * SECTOR_BYTES).fill(0xff);
	bytes.set(encodeIdentityRecord({ sequence: 1, document: encodeIdentity(identity) }));
	return bytes;
}

/** The flash of a new board; as long as its last partition needs, in whole MiB. */
export function buildFlash(options: FlashOptions): Uint8Array {
	const partitions = options.partitions ?? projectPartitions();
	const end = Math.max(...partitions.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes));
	const flash = new Uint8Array(Math.ceil(end / FLASH_STEP_BYTES) * FLASH_STEP_BYTES).fill(0xff);
	flash.set(encodePartitionTable(partitions), TABLE_OFFSET);
	put(flash, findPartition(partitions, IDENTITY_PARTITION), buildIdentityPartition(options.identity));
	if (options.image) put(flash, findPartition(partitions, firstSlot(partitions)), options.image);
	return flash;
}

/** The slot the bootloader takes without boot records. */
export function firstSlot(partitions: readonly Partition[]): string {
	const factory = partitions.find(({ type, subtype }) => type === 0 && subtype === 0);
	return factory?.label ?? "ota_0";
}

function put(flash: Uint8Array, partition: Partition, bytes: Uint8Array): void {
	if (bytes.length > partition.sizeBytes)
		throw new RangeError(
			`${bytes.length} bytes do not fit partition ${partition.label} of ${partition.sizeBytes}`,
		);
	flash.set(bytes, partition.offsetBytes);
}

export function findPartition(partitions: readonly Partition[], label: string): Partition {
	const partition = partitions.find((candidate) => candidate.label === label);
	if (!partition) throw new Error(`there is no partition ${label}`);
	return partition;
}

/** The bytes of one partition of a flash file, not copied. */
export function partitionBytes(flash: Uint8Array, label: string): Uint8Array {
	const { offsetBytes, sizeBytes } = findPartition(decodePartitionTable(flash), label);
	return flash.subarray(offsetBytes, offsetBytes + sizeBytes);
}

/** A table for small flashes of tests: the usual partitions, two slots of `slotBytes`, a multiple of 64 KiB. */
export function smallPartitions(slotBytes: number): readonly Partition[] {
	return parsePartitionsCsv(`
		nvs, data, nvs, 0x9000, 0x4000
		otadata, data, ota, 0xd000, 0x2000
		${IDENTITY_PARTITION}, data, 0x40, 0x10000, 0x2000
		ota_0, app, ota_0, 0x20000, ${slotBytes}
		ota_1, app, ota_1, ${0x20000 + slotBytes}, ${slotBytes}
	`);
}
