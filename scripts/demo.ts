// The main job, for real: a server, a release key, and a simulated ESP32 that updates itself from 1.0.0 to 1.1.0, then
// survives the broken 1.2.0. `npm run demo`. Exit code 0 only if every step is found true in the device's flash and in
// the server's records; else it says which was not. What it made stays in build/demo/ until the next time.
import { relative } from "node:path";
import type { SimulatorProcess } from "../cli/simulator/simulator-process.js";
import { Findings } from "./demo/findings.js";
import { Screen } from "./demo/screen.js";
import { DEVICE_ID, FOLDER, Stage } from "./demo/stage.js";

/** Real time for each thing the device is waited for. */
const PATIENCE_MS = 120_000;
/** Polls after a rollback in which the bad release must not be tried again. */
const FURTHER_POLLS = 2;
/** Of the serial log, shown when something is not true. */
const LAST_LINES = 40;

const screen = new Screen();

async function showUpdate(stage: Stage, device: SimulatorProcess, findings: Findings): Promise<void> {
	screen.step("Version 1.1.0 is signed and published; the device is left alone");
	await stage.publish(await stage.makeRelease("1.1.0"));
	await device.waitForLine("update 1.1.0 confirmed", { timeoutMs: PATIENCE_MS });
	const flash = { version: "1.1.0", slot: "ota_1", state: "valid" };
	await findings.flash("1.1.0 is whole in ota_1, which boots, confirmed", flash);
	await findings.deviceRuns("the device reports that it runs 1.1.0", "1.1.0");
	const events = ["firmware_verified", "firmware_applied", "boot_successful", "fota_completed"];
	await findings.events("each step of the update is logged", events);
}

async function showRollback(stage: Stage, device: SimulatorProcess, findings: Findings): Promise<void> {
	screen.step("Version 1.2.0 is published: it aborts five seconds after each boot");
	await stage.publish(await stage.makeRelease("1.2.0", { isBroken: true }));
	await device.waitForLine("update 1.2.0 rolled back", { timeoutMs: PATIENCE_MS });
	await findings.flash("1.1.0 in ota_1 boots again, confirmed", {
		version: "1.1.0",
		slot: "ota_1",
		state: "valid",
	});
	await findings.deviceRuns("the device reports that it runs 1.1.0 again", "1.1.0");
	await findings.failure("it says why it came back", { version: "1.2.0", code: "boot-crashed" });
	await findings.events("the failed boot and the rollback are logged", ["boot_failed", "rollback_triggered"]);

	screen.step("1.2.0 is still on offer; the device does not take it again");
	await device.waitForLine("release-known-bad", { timeoutMs: PATIENCE_MS });
	const from = device.lineCount;
	for (let poll = 0, at = from; poll < FURTHER_POLLS; poll++) {
		await device.waitForLine("state CHECKING_MANIFEST", { timeoutMs: PATIENCE_MS, from: at });
		at = device.lineCount;
	}
	const { lines } = await device.stop();
	const tries = lines.slice(from).filter((line) => line.includes("DOWNLOADING")).length;
	const seen = `${FURTHER_POLLS} polls, ${tries} downloads`;
	const wanted = `${FURTHER_POLLS} polls, 0 downloads`;
	findings.note({
		fact: "further polls start no download",
		source: "serial",
		isTrue: tries === 0,
		wanted,
		seen,
	});
	const kept = { version: "1.1.0", slot: "ota_1", state: "valid" };
	await findings.flash("the flash still boots 1.1.0, confirmed", kept);
}

async function runStory(stage: Stage, findings: Findings): Promise<void> {
	screen.note(
		`server on ${stage.url.origin}, SQLite in ${relative(".", FOLDER)}/data; release key ${stage.key.keyId}`,
	);
	screen.step("A new board is provisioned with firmware 1.0.0 and switched on");
	await stage.provision(await stage.makeRelease("1.0.0"));
	const device = await stage.powerUp((line) => screen.serialLine(line));
	await device.waitForLine("xs-fota 1.0.0 in ota_0", { timeoutMs: PATIENCE_MS });
	await findings.flash("1.0.0 is whole in ota_0, which boots", { version: "1.0.0", slot: "ota_0" });
	await findings.deviceRuns(`${DEVICE_ID} reports that it runs 1.0.0`, "1.0.0");
	await showUpdate(stage, device, findings);
	await showRollback(stage, device, findings);
}

async function main(): Promise<number> {
	const begin = Date.now();
	screen.step("The server starts, the operator makes a release key");
	let stage: Stage | undefined;
	let findings: Findings | undefined;
	let failure: unknown;
	try {
		stage = await Stage.open();
		findings = new Findings(stage);
		await runStory(stage, findings);
	} catch (error) {
		failure = error;
	} finally {
		await stage?.close();
	}
	const found = findings?.all ?? [];
	const rows = found.map(({ isTrue, fact, source, seen }) => [isTrue ? "✓" : "✗", fact, source, seen]);
	if (rows.length > 0) screen.summary(["", "what must be true", "found in", "seen"], rows);
	const took = Math.round((Date.now() - begin) / 1000);
	if (failure !== undefined) {
		// A line that did not come is told with lines around it; those are shown anyway.
		const [why = ""] = (failure instanceof Error ? failure.message : String(failure)).split(":\n", 1);
		screen.failure(why, stage?.serialLines.slice(-LAST_LINES) ?? []);
		screen.note(`Not all true, after ${took} s. Everything is kept in ${FOLDER}:`);
		screen.note("serial.log (all the device said), server.log, board.flash, data/");
		return 1;
	}
	screen.note(`All true, after ${took} s.`);
	screen.note(`Look closer: ${relative(".", FOLDER)}/ (serial.log, server.log, board.flash, data/)`);
	return 0;
}

process.exitCode = await main();
