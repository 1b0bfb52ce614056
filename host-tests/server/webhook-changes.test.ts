// Webhooks that several admins change at once: nothing that was acknowledged is lost.
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ServerRig } from "./server-rig.js";
import { QUICK_WORK, WebhookReceiver } from "./webhook-receiver.js";

/** So many changes at once, more than there are connections to the database. */
const AT_ONCE = 25;
const WEBHOOKS_MAX = 20;

describe("of changes of a webhook at the same time", () => {
	let rig: ServerRig;
	let receiver: WebhookReceiver;
	beforeEach(async () => {
		receiver = await WebhookReceiver.start();
		rig = await ServerRig.create({ ...QUICK_WORK, arePrivateWebhooksAllowed: true });
		// The library refuses messages that are older than five minutes.
		rig.clock.nowMs = Date.now();
	});
	afterEach(async () => {
		await rig.close();
		await receiver.close();
	});

	const create = async () => (await rig.post("/api/webhooks", { url: receiver.url })).json();

	it("each of different fields stays", async () => {
		const { id } = await create();
		const fields = { description: "pager", log: "security", device_id: "dev-1", types: ["login_failed"] };
		const none = { description: null, log: null, device_id: null, types: null };
		for (let round = 0; round < 5; round++) {
			await rig.change("PATCH", `/api/webhooks/${id}`, none);
			const changes = Object.entries(fields).map(([name, value]) =>
				rig.change("PATCH", `/api/webhooks/${id}`, { [name]: value }),
			);
			expect((await Promise.all(changes)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200]);
			expect((await rig.get(`/api/webhooks/${id}`)).json()).toMatchObject(fields);
		}
	});

	it("two new secrets both sign", async () => {
		const { id } = await create();
		const rotate = () => rig.post(`/api/webhooks/${id}/rotate-secret`);
		for (let round = 1; round <= 5; round++) {
			const secrets = (await Promise.all([rotate(), rotate()])).map((answer) => answer.json().secret);
			await rig.post(`/api/webhooks/${id}/test`);
			await expect.poll(() => receiver.received.length).toBe(round);
			const { body, headers } = receiver.received.at(-1) ?? { body: "", headers: {} };
			for (const secret of secrets) new Webhook(secret).verify(body, headers as Record<string, string>);
		}
	});

	it("none makes more webhooks than there may be", async () => {
		const answers = await Promise.all(
			Array.from({ length: AT_ONCE }, () => rig.post("/api/webhooks", { url: receiver.url })),
		);
		const made = answers.filter(({ statusCode }) => statusCode === 201);
		expect(made.length).toBe(WEBHOOKS_MAX);
		expect((await rig.get("/api/webhooks")).json().webhooks.length).toBe(WEBHOOKS_MAX);
	});
});
