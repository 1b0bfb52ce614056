// What is answered to ranges and conditions.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideDownload } from "../../../server/domain/download-answer.js";

const IMAGE = { sizeBytes: 1000, etag: '"abc"' };
const rangeOf = (range: string) => decideDownload({ method: "GET", range }, IMAGE);
const part = (offsetBytes: number, endBytes: number) => ({ kind: "part", offsetBytes, endBytes });

describe("a range", () => {
	it.each([
		["bytes=0-0", part(0, 1)],
		["bytes=0-999", part(0, 1000)],
		["bytes=100-199", part(100, 200)],
		["bytes=100-", part(100, 1000)],
		["bytes=999-", part(999, 1000)],
		["bytes=500-99999999999999999999999", part(500, 1000)],
		["bytes=-1", part(999, 1000)],
		["bytes=-1000", part(0, 1000)],
		["bytes=-5000", part(0, 1000)],
		["Bytes= 1-2 ", part(1, 3)],
		["bytes=1000-", { kind: "range-unsatisfiable" }],
		["bytes=1000-1001", { kind: "range-unsatisfiable" }],
		["bytes=-0", { kind: "range-unsatisfiable" }],
		["bytes=5-4", { kind: "whole" }],
		["bytes=0-1,5-6", { kind: "whole" }],
		["bytes=", { kind: "whole" }],
		["bytes=-", { kind: "whole" }],
		["bytes=a-b", { kind: "whole" }],
		["bytes=1.5-2", { kind: "whole" }],
		["chunks=0-1", { kind: "whole" }],
		["", { kind: "whole" }],
	])("%j is understood", (range, answer) => {
		expect(rangeOf(range)).toEqual(answer);
	});

	it("gives the bytes that a slice gives", () => {
		const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
		const image = { sizeBytes: bytes.length, etag: '"x"' };
		const number = fc.nat(400);
		fc.assert(
			fc.property(number, fc.option(number), (first, last) => {
				const answer = decideDownload({ method: "GET", range: `bytes=${first}-${last ?? ""}` }, image);
				const wanted = bytes.slice(first, last === null ? undefined : last + 1);
				if (answer.kind === "part") expect(bytes.slice(answer.offsetBytes, answer.endBytes)).toEqual(wanted);
				else if (last !== null && last < first) expect(answer.kind).toBe("whole");
				else expect([answer.kind, wanted.length]).toEqual(["range-unsatisfiable", 0]);
			}),
		);
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 400 }), (suffix) => {
				const answer = decideDownload({ method: "GET", range: `bytes=-${suffix}` }, image);
				if (answer.kind !== "part") throw new Error(answer.kind);
				expect(bytes.slice(answer.offsetBytes, answer.endBytes)).toEqual(bytes.slice(-suffix));
			}),
		);
	});

	it("is passed over unless the image is the one it was begun with, and for HEAD", () => {
		const range = "bytes=1-2";
		const ask = (ifRange: string) => decideDownload({ method: "GET", range, ifRange }, IMAGE).kind;
		expect(ask('"abc"')).toBe("part");
		for (const tag of ['"other"', 'W/"abc"', "abc", "Sat, 29 Oct 1994 19:43:31 GMT"])
			expect(ask(tag)).toBe("whole");
		expect(decideDownload({ method: "HEAD", range }, IMAGE).kind).toBe("whole");
	});
});

describe("a condition", () => {
	const none = (ifNoneMatch: string) => decideDownload({ method: "GET", ifNoneMatch }, IMAGE).kind;
	const match = (ifMatch: string) => decideDownload({ method: "GET", ifMatch }, IMAGE).kind;

	it("If-None-Match compares weakly, in lists as well", () => {
		for (const tags of ['"abc"', 'W/"abc"', "*", '"x", "abc"', '"x" ,W/"abc"'])
			expect(none(tags)).toBe("not-modified");
		for (const tags of ['"x"', "abc", "", '"abc" x', '"a", *']) expect(none(tags)).toBe("whole");
	});

	it("If-Match compares strongly", () => {
		for (const tags of ['"abc"', "*", '"x", "abc"']) expect(match(tags)).toBe("whole");
		for (const tags of ['"x"', 'W/"abc"', "abc", ""]) expect(match(tags)).toBe("precondition-failed");
	});

	it("counts before a range, whatever is in it: nothing takes long or throws", () => {
		fc.assert(
			fc.property(fc.string(), fc.string(), fc.string(), (range, ifRange, ifNoneMatch) => {
				const answer = decideDownload({ method: "GET", range, ifRange, ifNoneMatch }, IMAGE);
				expect(["whole", "part", "not-modified", "range-unsatisfiable"]).toContain(answer.kind);
			}),
		);
		const hostile = `${'"a",'.repeat(2000)}x`;
		expect(none(hostile)).toBe("whole");
		expect(decideDownload({ method: "GET", range: "bytes=0-", ifNoneMatch: '"abc"' }, IMAGE).kind).toBe(
			"not-modified",
		);
	});
});
