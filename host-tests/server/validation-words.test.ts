// What a caller is told of a request that the schemas refuse: enough to mend it, and nothing of what was sent.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMIN_TOKEN, ServerRig } from "./server-rig.js";

let rig: ServerRig;
beforeAll(async () => {
	rig = await ServerRig.create();
});
afterAll(() => rig.close());

const ROLLOUT = { name: "x", release_id: 1, target: { kind: "some" }, waves: [] };

describe("a request that is refused for its form", () => {
	it.each([
		["/api/users", { name: "a", role: "king" }, "body/role must be one of viewer, operator, admin"],
		["/api/users", { name: "a", role: "viewer", pass: "secret" }, "body/pass is not known here"],
		["/api/users", { name: "a" }, "body must have required properties role"],
		["/api/rollouts", ROLLOUT, "body/target/kind must be one of all, group, tag, share, devices"],
		[
			"/api/rollouts",
			{ ...ROLLOUT, target: { kind: "some", group: "a" } },
			"body/target/kind must be one of all, group, tag, share, devices",
		],
		[
			"/api/rollouts",
			{ ...ROLLOUT, target: { kind: "group" } },
			"body/target must have required properties group",
		],
		[
			"/api/rollouts",
			{ ...ROLLOUT, target: { kind: "tag", tag: "a", group: "b" } },
			"body/target/group is not known here",
		],
		["/api/webhooks", { url: "https://a.example/", log: "x" }, "body/log must be one of fota, security"],
	])("at %s is told what is wrong: %j", async (url, body, detail) => {
		const answer = await rig.post(url, body);
		expect([answer.statusCode, answer.json().detail]).toEqual([400, detail]);
	});

	it("is told which types of events there are", async () => {
		const { detail } = (await rig.post("/api/webhooks", { url: "https://a.example/", types: ["x"] })).json();
		expect(detail).toMatch(
			/^body\/types\/0 must be one of firmware_uploaded, [a-z_, ]+[a-z] and others, see \/docs$/,
		);
	});

	it("is told which parameter is wrong, and when a body is no JSON", async () => {
		expect((await rig.get("/api/devices?type=x")).json().detail).toBe("querystring/type is not known here");
		const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
		const broken = await rig.server.inject({
			method: "POST",
			url: "/api/users",
			headers,
			payload: '{"name":',
		});
		expect([broken.statusCode, broken.json().detail]).toEqual([400, "the body is not JSON"]);
	});

	it("is told no more than the beginning of a long name", async () => {
		const { detail } = (await rig.post("/api/users", { ["x".repeat(5000)]: 1 })).json();
		expect(detail.length).toBeLessThan(200);
	});
});
