// A part of an image as a stream that takes no more memory than one piece, however slow the reader. Called by the
// download route.
import { Readable } from "node:stream";
import type { OpenImage } from "../stores/image-store.js";

/** What one read brings into memory. */
const READ_BYTES = 65_536;

export interface ImagePart {
	readonly offsetBytes: number;
	/** Behind the last byte. */
	readonly endBytes: number;
}

/** Closes the image when it ends, and when its reader goes away. */
export function imageStream(image: OpenImage, part: ImagePart): Readable {
	// One piece ahead of the socket at most.
	const stream = Readable.from(pieces(image, part), { highWaterMark: 1 });
	// Not in the generator: its `finally` would not run if the connection is gone before the first piece.
	stream.once("close", () => void image.close());
	return stream;
}

async function* pieces(image: OpenImage, { offsetBytes, endBytes }: ImagePart): AsyncGenerator<Uint8Array> {
	for (let at = offsetBytes; at < endBytes; at += READ_BYTES)
		yield await image.read(at, Math.min(READ_BYTES, endBytes - at));
}
