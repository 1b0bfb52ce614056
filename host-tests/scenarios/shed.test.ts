// A rollout with fewer download places than devices: who finds none comes again when the server said so, no sooner, and is
// updated in its turn without a failure anywhere.
import { describe, expect, test } from "vitest";
import { Rig } from "../support/rig.js";

/** As release-question.ts of the server says it. */
const RETRY_AFTER_MS = 60_000;
const OPEN_PLAN = {
	waves: [{ share_percent: 100, min_wait_minutes: 0, min_success_percent: 0, min_finished_count: 0 }],
	stop_rule: null,
	retry: { max_attempts: 1, delay_minutes: 0 },
};
const SETTINGS = { pollSeconds: 3600 };
const PUT_OFF = "put off by the server for 60 s: server-unavailable";

async function call(rig: Rig, path: string, body?: object): Promise<Record<string, unknown>> {
	const answer = await fetch(`http://127.0.0.1:${rig.port}${path}`, {
		headers: { authorization: `Bearer ${rig.app.adminToken}`, "content-type": "application/json" },
		...(body && { method: "POST", body: JSON.stringify(body) }),
	});
	if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
	return (await answer.json()) as Record<string, unknown>;
}

async function startRollout(rig: Rig): Promise<unknown> {
	const { releases } = await call(rig, "/api/cloud/fota/releases?version=1.1.0");
	const [release] = releases as { id: number }[];
	const plan = { ...OPEN_PLAN, max_concurrent_downloads: 1 };
	const target = { kind: "all" };
	const { id } = await call(rig, "/api/rollouts", { name: "one", release_id: release?.id, target, ...plan });
	await call(rig, `/api/rollouts/${id}/start`, { reason: "the test wants it" });
	return id;
}

describe("a rollout with one download place", { timeout: 300_000 }, () => {
	test("puts the second device off, which keeps away as long as it was told and is updated in its turn", async () => {
		const rig = await Rig.open();
		const [first, second] = [
			await rig.device({ settings: SETTINGS }),
			await rig.device({ settings: SETTINGS }),
		];
		await rig.publish("1.1.0");
		const id = await startRollout(rig);
		// Switched off with the place in its hand.
		await first.run({ until: ["state DOWNLOADING"] });
		const waiting = await second.start();
		for (let count = 0, from = 0; count < 4; count++, from = waiting.lineCount)
			await waiting.waitForLine(PUT_OFF, { from });
		const { lines } = await waiting.stop();
		const asked = lines.filter((line) => /state CHECKING_MANIFEST$/.test(line));
		const askedMs = asked.map((line) => Number(/\((\d+)\)/.exec(line)?.[1]));
		const gapsMs = askedMs.slice(1).map((ms, index) => ms - (askedMs[index] ?? 0));
		expect(gapsMs.length).toBeGreaterThanOrEqual(3);
		expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(RETRY_AFTER_MS);
		expect(lines.filter((line) => /FAILED|not accepted|again in/.test(line))).toEqual([]);
		await first.run({ until: ["the server knows: 1.1.0 completed"] });
		const turn = await second.run({ until: ["the server knows: 1.1.0 completed"] });
		expect(turn.stats).toMatchObject({ end: "until", boots: 2 });
		expect(await call(rig, `/api/rollouts/${id}`)).toMatchObject({ counts: { succeeded: 2, failed: 0 } });
		for (const { identity } of [first, second])
			expect(await call(rig, `/api/devices/${identity.deviceId}`)).toMatchObject({ last_failure: null });
	});
});
