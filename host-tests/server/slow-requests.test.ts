// Requests that take their time: whoever sends one must have the right to it when its last byte comes.
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { callAs, makeToken, makeUser } from "./operators.js";
import { makeImage, signStatement, statementFor } from "./release-kit.js";
import { ServerRig } from "./server-rig.js";

let rig: ServerRig;
let url: string;
/** As the server has it. */
let received: IncomingMessage | undefined;
beforeEach(async () => {
	rig = await ServerRig.create();
	url = await rig.app.listen();
	rig.server.server.on("request", (request: IncomingMessage) => {
		received = request;
	});
	// The last active admin stays one.
	await makeUser(rig, "boss", "admin");
});
afterEach(() => rig.close());

interface Slow {
	readonly path: string;
	readonly token: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Buffer;
}

/** Lets `between` be done when the server has let the request in and has half of its body. */
async function sendSlowly({ path, token, headers, body }: Slow, between: () => Promise<unknown>) {
	received = undefined;
	const request = httpRequest(new URL(path, url), {
		method: "POST",
		headers: { ...headers, authorization: `Bearer ${token}`, "content-length": body.length },
	});
	const answered = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
		request.once("error", reject);
		request.once("response", (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (piece: string) => {
				text += piece;
			});
			response.once("end", () => resolve({ status: response.statusCode, text }));
		});
	});
	const half = Math.floor(body.length / 2);
	request.write(body.subarray(0, half));
	// Of a body nothing is read before its sender was let in.
	await expect.poll(() => received?.readableDidRead).toBe(true);
	await between();
	request.end(body.subarray(half));
	const { status, text } = await answered;
	return { status, answer: JSON.parse(text) };
}

const json = (path: string, token: string, body: object): Slow => ({
	path,
	token,
	headers: { "content-type": "application/json" },
	body: Buffer.from(JSON.stringify(body)),
});

describe("a request whose body comes slowly", () => {
	const change = async (payload: object) => {
		expect((await rig.change("PATCH", "/api/users/anna", payload)).statusCode).toBe(200);
	};
	const token = { name: "left-behind", role: "admin", expires_in_days: 365 };

	it("makes no token for a user who lost the role meanwhile", async () => {
		const { access_token } = await makeUser(rig, "anna", "admin");
		const sent = await sendSlowly(json("/api/tokens", access_token, token), () => change({ role: "viewer" }));
		expect([sent.status, sent.answer.code]).toEqual([403, "forbidden"]);
		expect((await rig.get("/api/tokens")).json().tokens).toEqual([]);
	});

	it("makes no user for one who was deactivated meanwhile", async () => {
		const { access_token } = await makeUser(rig, "anna", "admin");
		const body = { name: "left-behind", role: "admin" };
		const sent = await sendSlowly(json("/api/users", access_token, body), () => change({ is_active: false }));
		expect([sent.status, sent.answer.code]).toEqual([401, "auth-failed"]);
		const { users } = (await rig.get("/api/users")).json();
		expect(users.map(({ name }: { name: string }) => name)).toEqual(["anna", "boss"]);
	});

	it("is taken of a token that ran out meanwhile", async () => {
		const { access_token } = await makeUser(rig, "anna", "admin");
		const sent = await sendSlowly(json("/api/tokens", access_token, token), async () => {
			rig.clock.nowMs += 600_000;
			expect((await callAs(rig, access_token, "/api/auth/me")).statusCode).toBe(401);
		});
		expect(sent.status).toBe(201);
	});
});

describe("an upload that comes slowly", () => {
	it("publishes nothing by a token that was taken back meanwhile", async () => {
		const image = Buffer.from(makeImage());
		const made = await rig.post("/api/tokens", { name: "ci", role: "operator", expires_in_days: 1 });
		const headers = {
			"content-type": "application/octet-stream",
			"fota-release": signStatement(statementFor(image), rig.releaseKey),
		};
		const slow = { path: "/api/cloud/fota/upload", token: made.json().token, headers, body: image };
		const sent = await sendSlowly(slow, () => rig.change("DELETE", `/api/tokens/${made.json().id}`));
		expect([sent.status, sent.answer.code]).toEqual([403, "forbidden"]);
		expect((await rig.get("/api/cloud/fota/releases")).json().releases).toEqual([]);
		expect(
			(await sendSlowly({ ...slow, token: await makeToken(rig, "next", "operator") }, async () => {})).status,
		).toBe(201);
	});
});
