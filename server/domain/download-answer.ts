// What is answered to a request for an image: all of it, a part, or that the asker has it (RFC 9110 §13, §14). Pure;
// called by the download route. Not a library's: the common parser of ranges takes a suffix longer than the image for
// one that cannot be satisfied, and an inverted range as well.

export interface DownloadRequest {
	readonly method: string;
	readonly range?: string | undefined;
	readonly ifRange?: string | undefined;
	readonly ifMatch?: string | undefined;
	readonly ifNoneMatch?: string | undefined;
}

export interface Representation {
	readonly sizeBytes: number;
	/** Strong, with its quotes. */
	readonly etag: string;
}

export type DownloadAnswer =
	| { readonly kind: "whole" }
	/** `endBytes` is behind the last byte. */
	| { readonly kind: "part"; readonly offsetBytes: number; readonly endBytes: number }
	| { readonly kind: "not-modified" | "precondition-failed" | "range-unsatisfiable" };

/** In the order of RFC 9110 §13.2.2. An image has no time of change, so conditions on one are passed over. */
export function decideDownload(request: DownloadRequest, image: Representation): DownloadAnswer {
	const { method, range, ifRange, ifMatch, ifNoneMatch } = request;
	if (ifMatch !== undefined && !isListed(ifMatch, image.etag, false)) return { kind: "precondition-failed" };
	if (ifNoneMatch !== undefined && isListed(ifNoneMatch, image.etag, true)) return { kind: "not-modified" };
	// Only GET has ranges (§14.2). A date in If-Range, or another image's tag, asks for the whole.
	if (method !== "GET" || range === undefined) return { kind: "whole" };
	if (ifRange !== undefined && ifRange !== image.etag) return { kind: "whole" };
	return partOf(range, image.sizeBytes);
}

const ENTITY_TAG_LIST = /^(?:(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*|$))+$/;
const ENTITY_TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

// If-Match compares strongly, If-None-Match weakly (§8.8.3.2). What is no list of tags matches nothing.
function isListed(header: string, etag: string, isWeak: boolean): boolean {
	if (header.trim() === "*") return true;
	if (!ENTITY_TAG_LIST.test(header)) return false;
	return [...header.matchAll(ENTITY_TAG)].some(
		([, weak, tag]) => tag === etag && (isWeak || weak === undefined),
	);
}

const ONE_RANGE = /^bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*$/i;

/** One range. Several at once, another unit or what is no range is passed over, as a server may (§14.2). */
function partOf(header: string, sizeBytes: number): DownloadAnswer {
	const match = ONE_RANGE.exec(header);
	if (match === null) return { kind: "whole" };
	const [, first, last, suffix] = match;
	if (suffix !== undefined) {
		const lengthBytes = Math.min(Number(suffix), sizeBytes);
		if (lengthBytes === 0) return { kind: "range-unsatisfiable" };
		return { kind: "part", offsetBytes: sizeBytes - lengthBytes, endBytes: sizeBytes };
	}
	const offsetBytes = Number(first);
	const lastBytes = last ? Number(last) : sizeBytes - 1;
	if (last && lastBytes < offsetBytes) return { kind: "whole" };
	if (offsetBytes >= sizeBytes) return { kind: "range-unsatisfiable" };
	return { kind: "part", offsetBytes, endBytes: Math.min(lastBytes + 1, sizeBytes) };
}
