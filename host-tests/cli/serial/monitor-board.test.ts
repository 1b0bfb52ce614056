import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliError } from "../../../cli/cli-error.js";
import { monitorBoard } from "../../../cli/serial/monitor-board.js";
import { WebSerialPort } from "../../../cli/serial/web-serial-port.js";
import { CabledBoard } from "../../support/cabled-board.js";
import { Pty } from "../../support/pty.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-monitor-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Long enough for a board to be heard in, on a computer that stands still now and then. */
const SPOKEN_SILENCE_MS = 8000;

describe("the monitor", () => {
	test("restarts the board into its firmware and shows what it says, until it is ended", async () => {
		const board = await CabledBoard.open({ chip: "esp32c3", folder });
		const ending = new AbortController();
		let text = "";
		const over = monitorBoard({
			createPort: () => board.port(),
			baudRate: 115_200,
			isRestarted: true,
			onText: (piece) => {
				text += piece;
			},
			onNote: () => {},
			signal: ending.signal,
		});
		await expect.poll(() => text).toBe("rst:0x1 (POWERON)\nxs-fota starts\n");
		expect(board.chip.bootCount).toBe(1);
		ending.abort();
		await over;
		// The port is free again.
		const port = new WebSerialPort(board.pty.path);
		await port.open({ baudRate: 115_200 });
		await port.close();
		await board.pty.close();
	});

	test("waits when the port goes away, and goes on when it is back, without another restart", async () => {
		const path = join(folder, "ttyUSB0");
		const plugIn = async () => {
			const pty = await Pty.open(folder, () => {});
			await symlink(pty.path, path);
			return pty;
		};
		const pullOut = async (pty: Pty) => {
			await pty.close();
			await rm(path);
		};
		const ending = new AbortController();
		let text = "";
		const notes: string[] = [];
		const first = await plugIn();
		const over = monitorBoard({
			createPort: () => new WebSerialPort(path),
			baudRate: 115_200,
			isRestarted: false,
			onText: (piece) => {
				text += piece;
			},
			onNote: (note) => void notes.push(note),
			signal: ending.signal,
		});
		// Until the port is open, nobody hears what is said.
		const says = (pty: Pty, line: string) => () => {
			pty.write(new TextEncoder().encode(`${line}\n`));
			return text.includes(line);
		};
		await expect.poll(says(first, "before")).toBe(true);
		await pullOut(first);
		await expect
			.poll(() => notes)
			.toEqual([
				`listening on ${path} at 115200; Ctrl+C ends`,
				`${path} is gone; waiting for it to come back`,
			]);
		const second = await plugIn();
		await expect.poll(() => notes.at(-1)).toBe(`${path} is back`);
		await expect.poll(says(second, "after")).toBe(true);
		ending.abort();
		await over;
		await pullOut(second);
	});

	test.each([true, false])(
		"says what silence may mean, once, unless the board spoke: %s",
		async (isSilent) => {
			const pty = await Pty.open(folder, () => {});
			const ending = new AbortController();
			let text = "";
			const notes: string[] = [];
			const over = monitorBoard({
				createPort: () => new WebSerialPort(pty.path),
				baudRate: 115_200,
				isRestarted: false,
				onText: (piece) => {
					text += piece;
				},
				onNote: (note) => void notes.push(note),
				silenceMs: isSilent ? 50 : SPOKEN_SILENCE_MS,
				signal: ending.signal,
			});
			const says = () => {
				pty.write(new TextEncoder().encode("here\n"));
				return text.includes("here");
			};
			if (!isSilent) await expect.poll(says).toBe(true);
			else await expect.poll(() => notes.length).toBe(2);
			await delay(isSilent ? 200 : SPOKEN_SILENCE_MS + 200);
			ending.abort();
			await over;
			expect(notes[0]).toBe(`listening on ${pty.path} at 115200; Ctrl+C ends`);
			expect(notes.slice(1)).toEqual(isSilent ? [expect.stringContaining("nothing heard yet")] : []);
			await pty.close();
		},
	);

	test("says so when the port is not there in the first place", async () => {
		const error = await monitorBoard({
			createPort: () => new WebSerialPort("/dev/ttyUSB99"),
			baudRate: 115_200,
			isRestarted: true,
			onText: () => {},
			onNote: () => {},
			signal: new AbortController().signal,
		}).then(
			() => undefined,
			(cause: CliError) => cause,
		);
		expect(error?.message).toBe("there is no serial port /dev/ttyUSB99");
	});
});
