// What the commands print, as pure text.
import { describe, expect, test } from "vitest";
import { eventLine, printable, statusTable } from "../../cli/render/device-table.js";
import { barLine } from "../../cli/render/progress-bar.js";
import { formatTable } from "../../cli/render/text.js";

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

describe("a progress bar", () => {
	test("shows share and amount", () => {
		const line = barLine({ label: "upload", total: 4096 }, 1024);
		expect(line).toBe("upload ██████░░░░░░░░░░░░░░░░░░  25 %  1 of 4 KiB");
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

test("a device that never reported is shown as such", () => {
	const nothing = { state: undefined, bootStatus: undefined, version: undefined, slot: undefined };
	const unknown = {
		resetReason: undefined,
		targetVersion: undefined,
		progress: undefined,
		lastError: undefined,
	};
	const device = {
		deviceId: "d",
		deviceType: "t",
		isRolledBack: false,
		lastSeen: undefined,
		...nothing,
		...unknown,
	};
	expect(statusTable([device])).toContain("d       –        –     never reported  never");
});
