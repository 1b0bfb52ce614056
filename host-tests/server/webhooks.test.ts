// Webhooks from end to end: events POSTed to a program on the loopback, checked with the library that receivers use.
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, problemOf, ServerRig } from "./server-rig.js";
import { QUICK_WORK, WebhookReceiver } from "./webhook-receiver.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe("a webhook", () => {
	let rig: ServerRig;
	let receiver: WebhookReceiver;
	beforeEach(async () => {
		receiver = await WebhookReceiver.start();
		rig = await ServerRig.create({ ...QUICK_WORK, arePrivateWebhooksAllowed: true });
		// The library refuses messages that are older than five minutes.
		rig.clock.nowMs = Date.now();
	});
	afterEach(async () => {
		receiver.status = 204;
		await rig.close();
		await receiver.close();
	});

	const create = async (more: object = {}) =>
		(await rig.post("/api/webhooks", { url: receiver.url, ...more })).json();
	const call = (method: "PATCH" | "DELETE", url: string, payload?: object) =>
		rig.server.inject({
			method,
			url,
			headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
			...(payload && { payload }),
		});
	const deliveries = async (id: number, query = "") =>
		(await rig.get(`/api/webhooks/${id}/deliveries${query}`)).json().deliveries;
	const settled = async (id: number, status: string, count = 1) =>
		expect.poll(async () => (await deliveries(id, `?status=${status}`)).length).toBe(count);

	it("gets each event once, signed as Standard Webhooks say", async () => {
		const { id, secret } = await create();
		const device = await rig.device();
		await device.report(rig.server, { state: "COMPLETED", bootStatus: "boot_successful" });
		await settled(id, "delivered", 3);
		expect(receiver.types.sort()).toEqual(["boot_successful", "device_registered", "fota_completed"]);
		for (const { body, headers } of receiver.received) {
			const message = new Webhook(secret).verify(body, headers as Record<string, string>);
			expect(message).toMatchObject({
				timestamp: expect.any(String),
				data: { log: "fota", device_id: "dev-1" },
			});
			expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
		}
		expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
		const [first] = await deliveries(id);
		expect(first).toMatchObject({ attempts: 1, response_status: 204, error: null, next_try: null });
	});

	it("gets only what it asks for, and the steps of downloads only by name", async () => {
		const target = { version: "1.1.0", hash: "a".repeat(64) };
		const all = await create();
		const steps = await create({
			url: `${receiver.url}/steps`,
			types: ["chunk_received"],
			device_id: "dev-2",
		});
		const security = await create({ url: `${receiver.url}/security`, log: "security" });
		for (const id of ["dev-1", "dev-2"]) {
			const device = await rig.device(id);
			await device.report(rig.server, { state: "DOWNLOADING", target, chunksReceived: 1, chunkCount: 9 });
		}
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "r" });
		await settled(all.id, "delivered", 4);
		await settled(steps.id, "delivered");
		await settled(security.id, "delivered");
		const typesAt = (path: string) =>
			receiver.received.flatMap((one) => (one.path === path ? JSON.parse(one.body).type : []));
		expect(typesAt("/hook").filter((type) => type === "chunk_received")).toEqual([]);
		expect(typesAt("/hook/steps")).toEqual(["chunk_received"]);
		expect(typesAt("/hook/security")).toEqual(["rollback_ordered"]);
	});

	it("is tried again with longer and longer pauses, eight times, the message unchanged", async () => {
		receiver.status = 500;
		receiver.answer = "x".repeat(100_000);
		const { id } = await create();
		await rig.device();
		await expect.poll(() => receiver.received.length).toBe(1);
		for (const [attempt, pauseMs] of [5000, 60_000, 300_000, 1.8e6, 7.2e6, 2.16e7, 4.32e7].entries()) {
			// While an attempt is under way its lease stands there.
			const isPaused = async () => {
				const [{ attempts, next_try: nextTry }] = await deliveries(id);
				const share = (Date.parse(nextTry) - rig.clock.nowMs) / pauseMs;
				return attempts === attempt + 1 && share > 0.84 && share < 1.16;
			};
			await expect.poll(isPaused).toBe(true);
			const [tried] = await deliveries(id);
			rig.clock.nowMs = Date.parse(tried.next_try);
			await expect.poll(() => receiver.received.length).toBe(attempt + 2);
		}
		await settled(id, "failed");
		expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
		expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
		expect(rig.clock.nowMs - Date.parse((await deliveries(id))[0].created_at)).toBeLessThan(DAY_MS * 1.15);
		receiver.status = 200;
		const [failed] = await deliveries(id);
		const again = await rig.post(`/api/webhooks/${id}/deliveries/${failed.id}/redeliver`);
		expect(again.statusCode).toBe(202);
		await settled(id, "delivered");
	});

	it("is not followed to where it redirects", async () => {
		receiver.status = 307;
		receiver.location = `${receiver.url}/elsewhere`;
		const { id } = await create();
		await rig.post(`/api/webhooks/${id}/test`);
		await expect.poll(async () => (await deliveries(id))[0]?.error).toBe("answered 307");
		expect(receiver.received.map(({ path }) => path)).toEqual(["/hook"]);
	});

	it("that only failed for five days is switched off, with an event, and gets what comes once it is on again", async () => {
		receiver.status = 503;
		const { id } = await create();
		await rig.post(`/api/webhooks/${id}/test`);
		await expect.poll(() => receiver.received.length).toBe(1);
		await expect.poll(async () => (await deliveries(id))[0].error).toBe("answered 503");
		rig.clock.nowMs += 5 * DAY_MS;
		await expect.poll(async () => (await rig.get(`/api/webhooks/${id}`)).json().is_active).toBe(false);
		expect(await rig.eventTypes("fota")).toContain("webhook_deactivated");
		expect((await deliveries(id)).map(({ status }: { status: string }) => status)).toEqual(["dropped"]);
		await rig.device("while-off");
		expect(problemOf(await rig.post(`/api/webhooks/${id}/test`))).toBe("400 request-malformed");
		receiver.status = 204;
		expect((await call("PATCH", `/api/webhooks/${id}`, { is_active: true })).json().is_active).toBe(true);
		await rig.device("back-on");
		await settled(id, "delivered");
		expect(JSON.parse(receiver.received.at(-1)?.body ?? "").data.device_id).toBe("back-on");
	});

	it("has its days of failure begin anew with another target", async () => {
		receiver.status = 503;
		const { id } = await create();
		await rig.post(`/api/webhooks/${id}/test`);
		await expect.poll(async () => (await deliveries(id))[0].error).toBe("answered 503");
		await call("PATCH", `/api/webhooks/${id}`, { url: `${receiver.url}/new` });
		rig.clock.nowMs += 5 * DAY_MS;
		await expect.poll(async () => (await deliveries(id))[0].attempts).toBeGreaterThan(1);
		await expect.poll(() => receiver.received.at(-1)?.path).toBe("/hook/new");
		await rig.post(`/api/webhooks/${id}/test`);
		await expect.poll(() => receiver.received.length).toBe(3);
		expect((await rig.get(`/api/webhooks/${id}`)).json().is_active).toBe(true);
	});

	it("is switched off at once by 410 Gone", async () => {
		receiver.status = 410;
		const { id } = await create();
		await rig.post(`/api/webhooks/${id}/test`);
		await expect
			.poll(async () => (await rig.get(`/api/webhooks/${id}`)).json().deactivated_reason)
			.toContain("410");
	});

	it("is signed with the old and the new secret for a day after it was replaced, then with the new one", async () => {
		const { id, secret } = await create();
		const { secret: newSecret } = (await rig.post(`/api/webhooks/${id}/rotate-secret`)).json();
		expect(newSecret).not.toBe(secret);
		await rig.post(`/api/webhooks/${id}/test`);
		await settled(id, "delivered");
		const [both] = receiver.received;
		for (const one of [secret, newSecret])
			new Webhook(one).verify(both?.body ?? "", both?.headers as Record<string, string>);
		rig.clock.nowMs += DAY_MS + 1;
		await rig.post(`/api/webhooks/${id}/test`);
		await settled(id, "delivered", 2);
		expect(String(receiver.received[1]?.headers["webhook-signature"]).split(" ")).toHaveLength(1);
	});

	it("shows its secret once, and keeps it in no answer, no log and no database", async () => {
		const { id, secret } = await create();
		const key = secret.slice("whsec_".length);
		const answers = [
			await rig.get("/api/webhooks"),
			await rig.get(`/api/webhooks/${id}`),
			await rig.get("/api/audit"),
		];
		for (const answer of answers) expect(answer.body).not.toContain(key);
		expect(answers[2]?.body).toContain("webhook.create");
		expect(answers[2]?.body).not.toContain("/hook");
	});

	it("that is taken away takes its deliveries with it", async () => {
		const { id } = await create();
		await rig.post(`/api/webhooks/${id}/test`);
		await settled(id, "delivered");
		expect((await call("DELETE", `/api/webhooks/${id}`)).statusCode).toBe(204);
		expect(problemOf(await rig.get(`/api/webhooks/${id}/deliveries`))).toBe("404 not-found");
		expect(problemOf(await call("DELETE", `/api/webhooks/${id}`))).toBe("404 not-found");
	});

	it("that is slow holds up no other one", async () => {
		const slow = await WebhookReceiver.start();
		slow.status = 0;
		await create({ url: slow.url });
		const { id } = await create();
		for (let i = 0; i < 10; i++) await rig.device(`dev-${i}`);
		await settled(id, "delivered", 10);
		expect(slow.received.length).toBe(2);
		await slow.close();
	});
});

describe("the target of a webhook", () => {
	let rig: ServerRig;
	beforeEach(async () => {
		rig = await ServerRig.create({
			...QUICK_WORK,
			// A name whose owner points it to the loopback after it was checked.
			resolveWebhooks: (_name, _options, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]),
		});
	});
	afterEach(() => rig.close());

	it.each([
		"ftp://example.com/x",
		"http://127.0.0.1/hook",
		"http://2130706433/hook",
		"http://0x7f.1/hook",
		"http://[::1]/hook",
		"http://[::ffff:10.0.0.1]/hook",
		"http://[64:ff9b::7f00:1]/hook",
		"http://10.1.2.3/hook",
		"http://192.168.1.1/",
		"http://169.254.169.254/latest/meta-data",
		"http://100.64.0.1/hook",
		"http://[fd00::1]/hook",
		"http://[fe80::1]/hook",
		"http://0.0.0.0/hook",
		"https://user:secret@example.com/hook",
		"not a url at all",
	])("%s is refused", async (url) => {
		const answer = await rig.post("/api/webhooks", { url });
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(answer.body).not.toContain("secret");
	});

	it("is judged by the address that is connected to, whatever its name was when it was made", async () => {
		const receiver = await WebhookReceiver.start();
		const made = await rig.post("/api/webhooks", { url: `http://hooks.example.com:${receiver.port}/hook` });
		expect(made.statusCode).toBe(201);
		const { id } = made.json();
		await rig.post(`/api/webhooks/${id}/test`);
		const error = async () => (await rig.get(`/api/webhooks/${id}/deliveries`)).json().deliveries[0].error;
		await expect.poll(error).toBe("the name has no public address");
		expect(receiver.received).toEqual([]);
		await receiver.close();
	});
});
