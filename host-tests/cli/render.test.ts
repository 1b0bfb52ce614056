// What the commands print, as pure text.
import { describe, expect, test } from "vitest";
import { type DeviceLine, eventLine, printable, statusTable } from "../../cli/render/device-table.js";
import { barLine } from "../../cli/render/progress-bar.js";
import { formatTable, lineWidth } from "../../cli/render/text.js";

test("a table has columns as wide as their widest cell", () => {
	expect(
		formatTable(
			["a", "bb"],
			[
				["long", "x"],
				["s", ""],
			],
		),
	).toBe("a     bb\n────  ──\nlong  x\ns");
});

test("a table that is too wide breaks its last column between words", () => {
	const rows = [
		["1", "one, two, three, four"],
		["2", "an_event_with_a_long_name, five"],
	];
	expect(formatTable(["n", "what"], rows, 20)).toBe(
		[
			"n  what",
			"─  ──────────────────────────",
			"1  one, two, three,",
			"   four",
			"2  an_event_with_a_long_name,",
			"   five",
		].join("\n"),
	);
	expect(formatTable(["n", "what"], rows, 34)).toBe(formatTable(["n", "what"], rows));
});

test("a line is as wide as the terminal, unless it says that it has no columns", () => {
	const write = () => {};
	expect(lineWidth({ write, isTTY: true, columns: 120 }, 80)).toBe(120);
	for (const columns of [0, undefined]) expect(lineWidth({ write, isTTY: true, columns }, 80)).toBe(80);
	expect(lineWidth({ write, columns: 120 }, 80)).toBe(80);
});

describe("a progress bar", () => {
	test("shows share and amount", () => {
		const line = barLine({ label: "upload", total: 4096 }, 1024);
		expect(line).toBe("upload ██████░░░░░░░░░░░░░░░░░░  25 %  1 of 4 KiB");
	});

	test("counts what was sent and what is to be sent alike", () => {
		expect(barLine({ label: "x", total: 241_700 }, 241_700)).toContain("100 %  237 of 237 KiB");
	});

	test("is full for nothing", () => {
		expect(barLine({ label: "x", total: 0 }, 0)).toContain("100 %");
	});
});

test("text of a device cannot move the cursor of the operator's terminal", () => {
	expect(printable("\x1b[2Jgone\u202e\n")).toBe("?[2Jgone??");
	const event = { id: 1, time: "t", deviceId: "d", type: "x", details: { error: "\x1b]0;title\x07", n: 1 } };
	expect(eventLine(event)).toBe("t  d  x  error=?]0;title? n=1");
});

describe("a device", () => {
	const nothing = { state: undefined, bootStatus: undefined, version: undefined, slot: undefined };
	const unknown = {
		resetReason: undefined,
		targetVersion: undefined,
		progress: undefined,
		lastError: undefined,
	};
	const device: DeviceLine = {
		deviceId: "d",
		deviceType: "t",
		isRolledBack: false,
		isDecommissioned: false,
		lastSeen: undefined,
		...nothing,
		...unknown,
	};

	test("that never reported is shown as such", () => {
		expect(statusTable([device])).toContain("d       –        –     never reported  never");
	});

	test("that was taken out of service is shown as such, whatever it reported before", () => {
		const gone = { ...device, state: "DOWNLOADING", progress: 5, isDecommissioned: true };
		expect(statusTable([gone])).toMatch(/ decommissioned +never$/);
	});

	test("that went back as it was told to is told from one that failed", () => {
		const rolledBack = { ...device, lastError: { code: "rollback-requested", message: "too bright" } };
		const table = statusTable([rolledBack]);
		expect(table).toMatch(/last trouble\n.*\n.* rolled back as ordered: too bright$/);
		const failed = { ...device, lastError: { code: "hash-mismatch", message: "" } };
		expect(statusTable([failed])).toMatch(/ hash-mismatch:?/);
	});
});
