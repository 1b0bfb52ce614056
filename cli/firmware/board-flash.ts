// The whole flash of a new board, as one file: every part at its offset, the identity, everything else erased. Called by
// `fota provision --parts` and `fota qemu`. It must not know what the parts mean.
import { IDENTITY_PARTITION } from "../../src/protocol/identity.js";
import { findPartition } from "../image/flash-image.js";
import { checkFit, flashBytesNeeded, type PartsFolder } from "./parts-folder.js";

const MIB = 1024 * 1024;

/** As long as the table needs, in the sizes that flash chips (and QEMU) have: 2, 4, 8 or 16 MB. */
export function assembleFlash(folder: PartsFolder, identity: Uint8Array): Uint8Array {
	const { offsetBytes } = findPartition(folder.partitions, IDENTITY_PARTITION);
	// The device's own identity, also where the folder has one.
	const others = folder.parts.filter((part) => part.offsetBytes !== offsetBytes);
	const parts = [...others, { name: "identity", offsetBytes, bytes: identity }];
	parts.sort((a, b) => a.offsetBytes - b.offsetBytes);
	checkFit(parts, folder.partitions);
	const flash = new Uint8Array(flashSize(flashBytesNeeded(folder.partitions))).fill(0xff);
	for (const part of parts) flash.set(part.bytes, part.offsetBytes);
	return flash;
}

function flashSize(neededBytes: number): number {
	let bytes = 2 * MIB;
	while (bytes < neededBytes) bytes *= 2;
	return bytes;
}
