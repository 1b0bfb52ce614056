// Every maximum of the wire and of the flash, in one place: parsers check them, documents cite them (docs/protocol.md §2).

export const SECTOR_BYTES = 4096;
export const ERASE_BLOCK_BYTES = 65_536;
export const HASH_BYTES = 32;
export const MAC_BYTES = 32;
export const KEY_BYTES = 32;
export const PUBLIC_KEY_BYTES = 65;
export const SIGNATURE_BYTES = 64;

/** Largest application image, in bytes: a 16 MB flash with two slots. */
export const IMAGE_MAX_BYTES = 8 * 1024 * 1024;
/** Smallest thing that can be an image: header, one segment header, application description, checksum, hash. */
export const IMAGE_MIN_BYTES = 24 + 8 + 256 + 16 + HASH_BYTES;

/** Chunk sizes a device may ask for, in bytes. 1 KiB chunks share a sector, so a resume may fetch up to four again. */
export const CHUNK_SIZES_BYTES: readonly number[] = [1024, 4096, 16_384, 32_768];
export const CHUNK_MAX_BYTES = 32_768;
export const CHUNK_COUNT_MAX = IMAGE_MAX_BYTES / 1024;

export const MANIFEST_MAX_BYTES = 2048;
export const STATUS_MAX_BYTES = 2048;
/** Application slots a report tells of: two and the factory's. */
export const SLOTS_MAX = 3;
/** Largest answer to a status report, a rollback poll or an error (problem details). */
export const ANSWER_MAX_BYTES = 1024;
export const STATEMENT_MAX_BYTES = 1024;
/** Largest answer to GET /info and to a push. */
export const INFO_MAX_BYTES = 2048;
/** Random bytes of a push challenge. */
export const CHALLENGE_BYTES = 16;
/** The device's state in storage: a string of NVS holds 4000 with its end, and must lie in one page of 4032. */
export const STATE_MAX_BYTES = 3900;
export const IDENTITY_MAX_BYTES = SECTOR_BYTES - 16;
export const PROBLEM_DETAIL_MAX_CHARS = 200;

/** Nesting of any JSON document: a deep one would overflow the native stack of the parser on the device. */
export const JSON_MAX_DEPTH = 6;

export const VERSION_MAX_CHARS = 31;
export const NAME_MAX_CHARS = 32;
export const REASON_MAX_CHARS = 120;
/** Nonces and order numbers stay exact in a double. */
export const COUNTER_MAX = Number.MAX_SAFE_INTEGER;
/** How far a nonce may be ahead of the last one: twice where a device without storage begins, see docs/protocol.md §3.2. */
export const NONCE_STEP_MAX = 2 ** 41;
export const UINT32_MAX = 0xffff_ffff;
/** Weakest signal that a report can tell of; the strongest is 0. */
export const RSSI_MIN_DBM = -128;
