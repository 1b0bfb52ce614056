import { expect, test } from "vitest";
import { SerialText } from "../../../cli/serial/serial-text.js";

/** Every way to cut the bytes in two gives the same text. */
function shown(text: string): string {
	const bytes = new TextEncoder().encode(text);
	const results = Array.from(bytes, (_, at) => {
		const reader = new SerialText();
		return reader.push(bytes.subarray(0, at)) + reader.push(bytes.subarray(at));
	});
	expect(new Set(results).size).toBe(1);
	return results[0] ?? "";
}

test("keeps text, tabs and line ends, of any language", () => {
	expect(shown("boot\tändert sich: 日本 🙂\r\nnext\n")).toBe("boot\tändert sich: 日本 🙂\nnext\n");
});

test("drops colours, cursor movements and window titles whole", () => {
	expect(shown("\x1b[0;32mI (27) boot\x1b[0m\x1b[2J\x1b[1;1H done\x1b]0;owned\x07!")).toBe(
		"I (27) boot done!",
	);
});

test("drops what a terminal would obey, and text that turns lines around", () => {
	expect(shown("a\x00b\x07c\x08d\x7fe\u009bf\u202eg")).toBe("abcdefg");
});

test("does not swallow the log behind a sequence that never ends", () => {
	expect(shown("\x1b]0;no end\nI (30) next line\n")).toBe("I (30) next line\n");
	expect(shown(`\x1b[${"1;".repeat(40)}visible again`)).toContain("visible again");
});

test("shows noise as replacement characters and goes on", () => {
	const reader = new SerialText();
	expect(reader.push(new Uint8Array([0xff, 0xfe, 0x41, 0x0a]))).toBe("��A\n");
});
