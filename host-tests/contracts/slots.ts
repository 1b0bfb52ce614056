// What every Slots does, whatever it stands on.
import type { SlotInfo, Slots } from "../../src/update/ports.js";
import { type Contract, codeOf, expectEqual } from "./contract.js";

/** At first a confirmed image of version 1.0.0 runs in ota_0 and ota_1 is erased. Slots hold at least 16 sectors. */
export interface SlotsSubject {
	readonly slots: Slots;
	/** Of version 1.1.0: passes the chip's image check, and fits. */
	readonly image: Uint8Array;
}

const SECTOR_BYTES = 4096;

type Step = (subject: SlotsSubject) => void;

/** The image is written and activated; the next step runs on trial. */
const stage: Step = ({ slots, image }) => {
	slots.prepare();
	slots.erase(0, Math.ceil(image.length / SECTOR_BYTES) * SECTOR_BYTES);
	slots.write(0, image, 0, image.length);
	expectEqual(slots.verifyImage(), image.length);
	expectEqual(slots.spare().version, "1.1.0");
	slots.activate();
	expectEqual(slots.spare().state, "new");
};

const confirm: Step = ({ slots }) => {
	slots.confirm();
	expectEqual(slots.isOnTrial(), false);
};

const runs =
	(label: string, version: string, more: Partial<SlotInfo> = {}): Step =>
	({ slots }) => {
		const running = slots.running();
		const seen = { label: running.label, version: running.version, ...pick(running, more) };
		expectEqual(seen, { label, version, ...more });
	};

function pick(info: SlotInfo, like: Partial<SlotInfo>): Partial<SlotInfo> {
	return Object.fromEntries(Object.keys(like).map((key) => [key, info[key as keyof SlotInfo]]));
}

export const slotsContract: Contract<SlotsSubject> = [
	{
		title: "names the running slot and the spare one",
		steps: [
			({ slots }) => {
				const [running, spare] = [slots.running(), slots.spare()];
				expectEqual([running.label, running.version, running.trialBoots], ["ota_0", "1.0.0", 0]);
				expectEqual([spare.label, spare.version, spare.state], ["ota_1", undefined, "undefined"]);
				expectEqual(spare.sizeBytes >= 16 * SECTOR_BYTES, true);
				expectEqual(
					[slots.isOnTrial(), slots.hasBootloaderRollback(), slots.canRollBack()],
					[false, true, false],
				);
			},
		],
	},
	{
		title: "reads what was written, and knows which ranges are erased",
		steps: [
			({ slots }) => {
				slots.prepare();
				slots.erase(0, 2 * SECTOR_BYTES);
				slots.write(SECTOR_BYTES, Uint8Array.of(9, 1, 2, 3), 1, 3);
				const read = new Uint8Array(6);
				slots.read(SECTOR_BYTES, read, 2, 4);
				expectEqual([...read], [0, 0, 1, 2, 3, 0xff]);
				expectEqual(slots.isErased(0, SECTOR_BYTES), true);
				expectEqual(slots.isErased(SECTOR_BYTES, SECTOR_BYTES), false);
				expectEqual(slots.isErased(SECTOR_BYTES + 3, SECTOR_BYTES - 3), true);
			},
			({ slots }) => {
				expectEqual(slots.isErased(SECTOR_BYTES, SECTOR_BYTES), false);
				slots.prepare();
				slots.erase(SECTOR_BYTES, SECTOR_BYTES);
				expectEqual(slots.isErased(0, 2 * SECTOR_BYTES), true);
			},
		],
	},
	{
		title: "refuses to activate what is no image, and boots the old one",
		steps: [
			({ slots }) => {
				slots.prepare();
				slots.erase(0, SECTOR_BYTES);
				expectEqual(
					codeOf(() => slots.verifyImage()),
					"image-invalid",
				);
				expectEqual(
					codeOf(() => slots.activate()),
					"activate-failed",
				);
			},
			runs("ota_0", "1.0.0"),
		],
	},
	{
		title: "changes nothing in a slot that a boot record names, until it is prepared",
		steps: [
			stage,
			confirm,
			({ slots, image }) => {
				expectEqual(slots.spare().version, "1.0.0");
				slots.prepare();
				slots.erase(0, SECTOR_BYTES);
				expectEqual(slots.spare().version, undefined);
				stage({ slots, image });
				expectEqual(
					codeOf(() => slots.erase(0, SECTOR_BYTES)),
					"flash-failed",
				);
				expectEqual(
					codeOf(() => slots.write(0, Uint8Array.of(0), 0, 1)),
					"flash-failed",
				);
				expectEqual(slots.spare().version, "1.1.0");
			},
		],
	},
	{
		title: "puts an activated image on trial",
		steps: [
			stage,
			(subject) => {
				runs("ota_1", "1.1.0", { trialBoots: 1 })(subject);
				const { slots } = subject;
				expectEqual([slots.isOnTrial(), slots.trialBootsMax(), slots.canRollBack()], [true, 3, true]);
			},
		],
	},
	{
		title: "takes nothing of the way back while on trial",
		steps: [
			stage,
			({ slots }) => {
				expectEqual(
					codeOf(() => slots.prepare()),
					"flash-failed",
				);
				expectEqual(
					codeOf(() => slots.erase(0, SECTOR_BYTES)),
					"flash-failed",
				);
				expectEqual(
					codeOf(() => slots.write(0, Uint8Array.of(0), 0, 1)),
					"flash-failed",
				);
				expectEqual(
					codeOf(() => slots.activate()),
					"activate-failed",
				);
				expectEqual(slots.spare().version, "1.0.0");
			},
		],
	},
	{
		title: "keeps a confirmed image over restarts",
		steps: [stage, confirm, ...Array(4).fill(runs("ota_1", "1.1.0", { state: "valid" }))],
	},
	{
		title: "returns to the former image when the trial boots are used up",
		steps: [
			stage,
			runs("ota_1", "1.1.0", { trialBoots: 1 }),
			runs("ota_1", "1.1.0", { trialBoots: 2 }),
			runs("ota_1", "1.1.0", { trialBoots: 3 }),
			(subject) => {
				runs("ota_0", "1.0.0")(subject);
				const { label, state, trialBoots } = subject.slots.spare();
				expectEqual([label, state, trialBoots], ["ota_1", "aborted", 3]);
			},
		],
	},
	{
		title: "goes back at once when it is told to, and gives the image up",
		steps: [
			stage,
			({ slots }) => slots.rollBack(),
			(subject) => {
				runs("ota_0", "1.0.0")(subject);
				expectEqual(subject.slots.spare().state, "invalid");
				expectEqual(subject.slots.canRollBack(), false);
			},
		],
	},
	{
		title: "is refused a way back that does not exist",
		steps: [
			({ slots }) =>
				expectEqual(
					codeOf(() => slots.rollBack()),
					"rollback-impossible",
				),
		],
	},
];
