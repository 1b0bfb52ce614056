// What every StateStore does, whatever it stands on.
import type { StateStore } from "../../src/update/ports.js";
import { type Contract, codeOf, expectEqual } from "./contract.js";

/** Empty at first. */
export interface StateStoreSubject {
	readonly store: StateStore;
	/** Longest text that must be taken, in characters. */
	readonly maxChars: number;
}

const TEXT = '{"phase":"download"}';

const holds =
	(text: string) =>
	({ store }: StateStoreSubject): void =>
		expectEqual(store.read(), text);

export const stateStoreContract: Contract<StateStoreSubject> = [
	{
		title: "is empty at first",
		steps: [({ store }) => expectEqual(store.read(), undefined)],
	},
	{
		title: "gives back what was written, as a whole, also after a restart",
		steps: [
			({ store }) => {
				store.write(TEXT);
				expectEqual(store.read(), TEXT);
			},
			holds(TEXT),
		],
	},
	{
		title: "replaces a longer text by a shorter one, and again",
		steps: [
			({ store }) => {
				store.write("a".repeat(400));
				store.write("b");
			},
			(subject) => {
				holds("b")(subject);
				for (let i = 0; i < 40; i++) subject.store.write(`${i}`.repeat(300));
			},
			holds("39".repeat(300)),
		],
	},
	{
		title: "keeps characters beyond ASCII",
		steps: [({ store }) => store.write("Grüße – 中文"), holds("Grüße – 中文")],
	},
	{
		title: "takes a text of the length it states, and refuses a longer one, keeping the old",
		steps: [
			({ store, maxChars }) => {
				store.write("x".repeat(maxChars));
				expectEqual(
					codeOf(() => store.write("y".repeat(maxChars + 1))),
					"storage-failed",
				);
			},
			({ store, maxChars }) => expectEqual(store.read(), "x".repeat(maxChars)),
		],
	},
];
