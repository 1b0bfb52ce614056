// What the security log has of refused requests while somebody makes noise: each kind is bounded by itself.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { REFUSALS_PER_MINUTE, REFUSALS_PER_SOURCE } from "../../server/auth/refusal-log.js";
import { STATUS_PATH } from "../../src/protocol/status-report.js";
import { callAs, logIn, makeUser, PASSWORD } from "./operators.js";
import { ServerRig } from "./server-rig.js";

const NOISE = REFUSALS_PER_SOURCE + 10;
const INVENTED = `${"0".repeat(32)}.${"x".repeat(43)}`;

describe("a flood of", () => {
	let rig: ServerRig;
	beforeEach(async () => {
		rig = await ServerRig.create({ rateLimits: { perAddress: 0, perDevice: 0 } });
	});
	afterEach(() => rig.close());

	const post = (url: string, payload: object, token?: string) =>
		callAs(rig, token, url, { method: "POST", payload });
	const countOf = async (type: string) => (await rig.eventTypes("security", `&type=${type}`)).length;

	it("wrong bearers and device credentials hides nothing else, and is bounded itself", async () => {
		const device = await rig.device();
		const { access_token: viewer, refresh_token: refresh } = await makeUser(rig, "some-viewer", "viewer");
		for (let i = 0; i < NOISE; i++) {
			await callAs(rig, "wrong", "/api/devices");
			await rig.server.inject({ method: "POST", url: STATUS_PATH, headers: { authorization: "wrong" } });
		}
		await logIn(rig, "some-viewer", "a guess of somebody");
		await callAs(rig, viewer, "/api/users");
		await device.manifest(rig.server);
		for (let i = 0; i < 3; i++) await device.send(rig.server, device.manifestTarget(), { nonce: 1 });
		await post("/api/auth/refresh", { refresh_token: refresh });
		await post("/api/auth/refresh", { refresh_token: refresh });
		const types = ["login_failed", "access_denied", "nonce_replayed", "refresh_token_reused"];
		for (const type of types) expect([type, await countOf(type)]).not.toEqual([type, 0]);
		expect(await countOf("admin_auth_failed")).toBe(REFUSALS_PER_SOURCE);
		expect(await countOf("auth_failed")).toBe(REFUSALS_PER_SOURCE);
	});

	it("one address hides nothing from another, and many together are bounded too", async () => {
		const wrong = { authorization: "Bearer wrong" };
		const from = async (remoteAddress: string) =>
			rig.server.inject({ url: "/api/devices", headers: wrong, remoteAddress });
		for (let host = 1; host <= 5; host++)
			for (let i = 0; i < NOISE; i++) {
				await from(`192.0.2.${host}`);
				if (host === 1 && i === NOISE - 1) await from("198.51.100.1");
			}
		expect(await countOf("admin_auth_failed")).toBe(REFUSALS_PER_MINUTE);
		const { events } = (await rig.get("/api/cloud/logs/security?limit=500")).json();
		const addresses = events.map((event: { details: { address: string } }) => event.details.address);
		expect(addresses.filter((address: string) => address === "198.51.100.1")).toHaveLength(1);
	});

	it("one device's replays hides none of another's", async () => {
		const [loud, quiet] = [await rig.device("loud"), await rig.device("quiet")];
		for (const device of [loud, quiet]) await device.manifest(rig.server);
		for (let i = 0; i < REFUSALS_PER_MINUTE + 10; i++)
			await loud.send(rig.server, loud.manifestTarget(), { nonce: 1 });
		// The first may be a device that lost its nonces.
		for (let i = 0; i < 2; i++) await quiet.send(rig.server, quiet.manifestTarget(), { nonce: 1 });
		expect(await countOf("nonce_replayed&device_id=quiet")).toBe(1);
		expect(await countOf("nonce_replayed&device_id=loud")).toBe(REFUSALS_PER_SOURCE);
	});

	it("invented refresh tokens hides no guess at a password, be it at the log-in or with a session", async () => {
		const { access_token: token } = await makeUser(rig, "some-viewer", "viewer");
		for (let i = 0; i < NOISE; i++) await post("/api/auth/refresh", { refresh_token: INVENTED });
		expect(await countOf("login_failed")).toBe(REFUSALS_PER_SOURCE);
		await logIn(rig, "some-viewer", "a guess of somebody");
		await post("/api/auth/password", { current_password: "a guess", new_password: `${PASSWORD} 2` }, token);
		expect(await countOf("login_failed")).toBe(REFUSALS_PER_SOURCE + 2);
	});

	it("one kind is told with the next of its kind, and not with another", async () => {
		for (let i = 0; i < NOISE; i++) await callAs(rig, "wrong", "/api/devices");
		await logIn(rig, "nobody", "a guess of somebody");
		rig.clock.nowMs += 60_000;
		await callAs(rig, "wrong", "/api/devices");
		const { events } = (await rig.get("/api/cloud/logs/security?limit=2")).json();
		expect(events.map((event: { type: string }) => event.type)).toEqual([
			"login_failed",
			"admin_auth_failed",
		]);
		expect(events.map((event: { details: object }) => event.details)).toMatchObject([{}, { left_out: 10 }]);
		expect(events[0].details).not.toHaveProperty("left_out");
	});
});
