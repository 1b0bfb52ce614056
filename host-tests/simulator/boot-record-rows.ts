// Boot records in every state, whole and torn, and what the bootloader makes of each: the table found on a real
// bootloader, and what its source says about the rest. Run by bootloader-states.test.ts.
import { parsePartitionsCsv } from "../../cli/image/partition-table.js";
import { makeRecord, type RecordFields, STATE } from "../native/boot-record.js";
import type { PARTITIONS } from "../native/xs-device.js";

/** damaged: one bit wrong; foreign: for another chip. */
export type ImageKind = "good" | "damaged" | "foreign";

const WITH_FACTORY = parsePartitionsCsv(`
	nvs, data, nvs, 0x9000, 0x4000
	otadata, data, ota, 0xd000, 0x2000
	factory, app, factory, 0x10000, 0x40000
	ota_0, app, ota_0, 0x50000, 0x40000
	ota_1, app, ota_1, 0x90000, 0x40000
`);

export interface Row {
	readonly title: string;
	readonly records: readonly (RecordFields | Uint8Array | undefined)[];
	/** Default: good images in ota_0 and ota_1. */
	readonly images?: Readonly<Record<string, ImageKind>>;
	readonly partitions?: typeof PARTITIONS;
	readonly boots: string;
	/** States of the two records afterwards; undefined: none. */
	readonly states: readonly (number | undefined)[];
	/** boots and powerBoots counted in the second record. */
	readonly counted?: readonly [number, number];
}

export const OLD: RecordFields = { sequence: 1, state: STATE.valid };
const { pending, valid, invalid, aborted } = STATE;

/** Programmed up to there only. */
function torn(fields: RecordFields, wholeBytes: number): Uint8Array {
	return makeRecord(fields).fill(0xff, wholeBytes);
}

export const BOOT_ROWS: readonly Row[] = [
	{
		title: "no record at all boots ota_0 and gives it one",
		records: [],
		boots: "ota_0",
		states: [valid, undefined],
	},
	{
		title: "no record and a damaged ota_0 boots ota_1 and gives it one",
		records: [],
		images: { ota_0: "damaged", ota_1: "good" },
		boots: "ota_1",
		states: [valid, undefined],
	},
	{
		title: "a new record puts its image on trial, counted and re-armed",
		records: [OLD, { sequence: 2, state: STATE.new }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 0],
	},
	{
		title: "a record cut off before its state, beside a confirmed one, is a trial",
		records: [OLD, { sequence: 2, state: STATE.undefined }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 0],
	},
	{
		title: "a record that looks confirmed and counted no start, beside a confirmed one, is a trial",
		records: [OLD, { sequence: 2, state: valid }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 0],
	},
	{
		title: "a record that looks confirmed, counted a start and has no mark is a trial",
		records: [OLD, { sequence: 2, state: valid, boots: 1 }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 1],
	},
	{
		title: "a confirmed record with its mark is no trial",
		records: [OLD, { sequence: 2, state: valid, isKept: true }],
		boots: "ota_1",
		states: [valid, valid],
	},
	{
		title: "a confirmed record without a mark, alone, is no trial",
		records: [undefined, { sequence: 2, state: valid }],
		boots: "ota_1",
		states: [undefined, valid],
	},
	{
		title: "a record without a state, alone, is no trial",
		records: [undefined, { sequence: 2, state: STATE.undefined }],
		boots: "ota_1",
		states: [undefined, STATE.undefined],
	},
	{
		title: "two records without a state are no trial",
		records: [
			{ sequence: 1, state: STATE.undefined },
			{ sequence: 2, state: STATE.undefined },
		],
		boots: "ota_1",
		states: [STATE.undefined, STATE.undefined],
	},
	{
		title: "a second start after power-on is excused",
		records: [OLD, { sequence: 2, state: STATE.new, boots: 1 }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 1],
	},
	{
		title: "after eight excused starts power-on counts like any other",
		records: [OLD, { sequence: 2, state: STATE.new, boots: 1, powerBoots: 8 }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [2, 8],
	},
	{
		title: "the third counted start is not re-armed",
		records: [OLD, { sequence: 2, state: STATE.new, boots: 2, powerBoots: 8 }],
		boots: "ota_1 on trial",
		states: [valid, pending],
		counted: [3, 8],
	},
	{
		title: "a spent counter that was never counted down gives one start",
		records: [OLD, { sequence: 2, state: STATE.new, boots: 32, powerBoots: 32 }],
		boots: "ota_1 on trial",
		states: [valid, pending],
	},
	{ title: "new record erased: old", records: [OLD, undefined], boots: "ota_0", states: [valid, undefined] },
	{
		title: "new record with the sequence number alone: old",
		records: [OLD, torn({ sequence: 2, state: STATE.new }, 4)],
		boots: "ota_0",
		states: [valid, undefined],
	},
	{
		title: "new record without its CRC: old",
		records: [OLD, torn({ sequence: 2, state: STATE.new }, 28)],
		boots: "ota_0",
		states: [valid, undefined],
	},
	{
		title: "new record all zero: old",
		records: [OLD, new Uint8Array(32)],
		boots: "ota_0",
		states: [valid, undefined],
	},
	{
		title: "cut between count and re-arm: old, the trial is over",
		records: [OLD, { sequence: 2, state: pending, boots: 1 }],
		boots: "ota_0",
		states: [valid, aborted],
		counted: [1, 0],
	},
	{
		title: "new record of a damaged image: old",
		records: [OLD, { sequence: 2, state: STATE.new }],
		images: { ota_0: "good", ota_1: "damaged" },
		boots: "ota_0",
		states: [valid, pending],
		counted: [0, 0],
	},
	{
		title: "new record of an image for another chip: old",
		records: [OLD, { sequence: 2, state: STATE.new }],
		images: { ota_0: "good", ota_1: "foreign" },
		boots: "ota_0",
		states: [valid, pending],
	},
	{
		title: "a state that nobody writes is taken for a trial",
		records: [OLD, { sequence: 2, state: 0x40000009 }],
		boots: "ota_1 on trial",
		states: [valid, STATE.new],
		counted: [1, 0],
	},
	{
		title: "an invalid record is passed over",
		records: [OLD, { sequence: 2, state: invalid }],
		boots: "ota_0",
		states: [valid, invalid],
	},
	{
		title: "an aborted record is passed over",
		records: [OLD, { sequence: 2, state: aborted }],
		boots: "ota_0",
		states: [valid, aborted],
	},
	{
		title: "two given-up records boot ota_0, unchanged",
		records: [
			{ sequence: 1, state: aborted },
			{ sequence: 2, state: invalid },
		],
		boots: "ota_0",
		states: [aborted, invalid],
	},
	{
		title: "two records with wrong CRC boot ota_0, unchanged",
		records: [
			{ sequence: 1, state: valid, crc: 5 },
			{ sequence: 2, state: valid, crc: 6 },
		],
		boots: "ota_0",
		states: [undefined, undefined],
	},
	{
		title: "the higher sequence number counts, whichever sector it is in",
		records: [
			{ sequence: 4, state: valid, isKept: true },
			{ sequence: 3, state: valid },
		],
		boots: "ota_1",
		states: [valid, valid],
	},
	{
		title: "with factory and no record: factory",
		records: [],
		images: { factory: "good", ota_0: "good", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "factory",
		states: [undefined, undefined],
	},
	{
		title: "with factory and two given-up records: factory",
		records: [
			{ sequence: 1, state: aborted },
			{ sequence: 2, state: invalid },
		],
		images: { factory: "good", ota_0: "good", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "factory",
		states: [aborted, invalid],
	},
	{
		title: "with factory, a lone record that looks confirmed is a trial",
		records: [undefined, { sequence: 2, state: valid }],
		images: { factory: "good", ota_0: "good", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "ota_1 on trial",
		states: [undefined, STATE.new],
	},
	{
		title: "with factory, a lone record without a state is a trial",
		records: [undefined, { sequence: 2, state: STATE.undefined }],
		images: { factory: "good", ota_0: "good", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "ota_1 on trial",
		states: [undefined, STATE.new],
	},
	{
		title: "with factory, a lone confirmed record with its mark is no trial",
		records: [undefined, { sequence: 2, state: valid, isKept: true }],
		images: { factory: "good", ota_0: "good", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "ota_1",
		states: [undefined, valid],
	},
	{
		title: "with factory and a damaged chosen slot: downwards to factory, not to the good slot above",
		records: [{ sequence: 1, state: valid }, undefined],
		images: { factory: "good", ota_0: "damaged", ota_1: "good" },
		partitions: WITH_FACTORY,
		boots: "factory",
		states: [valid, undefined],
	},
];
