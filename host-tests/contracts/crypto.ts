// What every Crypto does, whatever it stands on.
import type { SignedStatement } from "../../src/protocol/release-statement.js";
import type { Crypto } from "../../src/update/ports.js";
import { type Contract, expectEqual } from "./contract.js";

export interface CryptoSubject {
	readonly crypto: Crypto;
	readonly trusted: SignedStatement;
	/** Signed by nobody that is trusted, or altered since. */
	readonly untrusted: readonly SignedStatement[];
	/** Hashes of two images, in hex. */
	readonly images: { readonly one: string; readonly other: string };
	/** MAC of a chunk of the image with that hash, as the server would make it. */
	readonly mac: (image: string, chunkNumber: number, data: Uint8Array) => Uint8Array;
}

/** Data of every chunk here, and the numbers under which MACs are asked for. */
export const CONTRACT_CHUNK: Uint8Array = Uint8Array.from({ length: 1000 }, (_, i) => i & 255);
export const CONTRACT_CHUNK_NUMBERS: readonly number[] = [0, 1, 2, 3, 7, 0xffff_ffff];

const DATA = CONTRACT_CHUNK;
/** FIPS 180-4: of nothing, and of "abc". */
const HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HASH_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/** Data and MAC as they lie in the frame buffer. */
function frame(data: Uint8Array, mac: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(data.length + mac.length);
	bytes.set(data);
	bytes.set(mac, data.length);
	return bytes;
}

function open(subject: CryptoSubject) {
	const { crypto, mac, images } = subject;
	const { one: image, other } = images;
	crypto.useImage(image);
	const isAuthentic = (number: number, bytes: Uint8Array) =>
		crypto.isChunkAuthentic(number, bytes, DATA.length);
	return { crypto, image, other, mac, isAuthentic };
}

export const cryptoContract: Contract<CryptoSubject> = [
	{
		title: "trusts a release that a trusted key signed, again and again, and no other",
		steps: [
			({ crypto, trusted, untrusted }) => {
				expectEqual(untrusted.length > 0, true);
				for (const signed of untrusted) {
					expectEqual(crypto.isTrusted(trusted), true);
					expectEqual(crypto.isTrusted(signed), false);
				}
			},
		],
	},
	{
		title: "finds a chunk authentic in its place, under any number",
		steps: [
			(subject) => {
				const { image, mac, isAuthentic } = open(subject);
				for (const number of CONTRACT_CHUNK_NUMBERS)
					expectEqual(isAuthentic(number, frame(DATA, mac(image, number, DATA))), true);
			},
		],
	},
	{
		title: "finds no chunk authentic that is altered, moved or cut",
		steps: [
			(subject) => {
				const { crypto, image, mac, isAuthentic } = open(subject);
				for (const at of [0, 511, 999, 1000, 1031]) {
					const bytes = frame(DATA, mac(image, 3, DATA));
					bytes[at] = (bytes[at] ?? 0) ^ 0x80;
					expectEqual(isAuthentic(3, bytes), false);
				}
				expectEqual(isAuthentic(4, frame(DATA, mac(image, 3, DATA))), false);
				const cut = frame(DATA.subarray(0, 999), mac(image, 3, DATA));
				expectEqual(crypto.isChunkAuthentic(3, cut, 999), false);
				expectEqual(isAuthentic(3, frame(DATA, mac(image, 3, DATA))), true);
			},
		],
	},
	{
		title: "takes chunks of the image in use alone",
		steps: [
			(subject) => {
				const { crypto, image, other, mac, isAuthentic } = open(subject);
				const [mine, theirs] = [frame(DATA, mac(image, 0, DATA)), frame(DATA, mac(other, 0, DATA))];
				expectEqual([isAuthentic(0, mine), isAuthentic(0, theirs)], [true, false]);
				crypto.useImage(other);
				expectEqual([isAuthentic(0, mine), isAuthentic(0, theirs)], [false, true]);
			},
		],
	},
	{
		title: "hashes an image in pieces, begins anew behind each, and is not disturbed by other calls",
		steps: [
			(subject) => {
				const { crypto, image, mac, isAuthentic } = open(subject);
				const { hasher } = crypto;
				expectEqual(hasher.digestHex(), HASH_OF_NOTHING);
				for (let round = 0; round < 2; round++) {
					hasher.update(Uint8Array.of(0x78, 0x61, 0x62), 1, 1);
					expectEqual(crypto.isTrusted(subject.trusted), true);
					expectEqual(isAuthentic(7, frame(DATA, mac(image, 7, DATA))), true);
					hasher.update(Uint8Array.of(0x62, 0x63), 0, 2);
					expectEqual(hasher.digestHex(), HASH_OF_ABC);
				}
			},
		],
	},
];
