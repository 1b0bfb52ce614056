// Uploads as forms (system B): what makes a release, what is refused, and that nothing is left of the latter.
import { once } from "node:events";
import { open } from "node:fs/promises";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BOUNDARY, FORM_TYPE, type FormPart, fieldsOf, fileOf, formOf } from "./form-rig.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "./release-kit.js";
import { ADMIN_TOKEN, problemOf } from "./server-rig.js";
import { UploadRig } from "./upload-rig.js";

const URL_PATH = "/api/ota/admin/upload";
let rig: UploadRig;
let isDiskFull: boolean;
beforeEach(async () => {
	isDiskFull = false;
	rig = await UploadRig.open({ maxUploadBytes: 200_000 }, async (path) => {
		const file = await open(path, "wx");
		return {
			write: (async (piece: Uint8Array, at: number, count: number) => {
				if (isDiskFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
				return file.write(piece, at, count);
			}) as typeof file.write,
			sync: () => file.sync(),
			close: () => file.close(),
		};
	});
});
afterEach(() => rig.close());

const image = makeImage();
const signed = () => signStatement(statementFor(image), rig.releaseKey);

async function send(payload: Uint8Array, contentType = FORM_TYPE) {
	return rig.server.inject({
		method: "POST",
		url: URL_PATH,
		headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": contentType },
		payload: Buffer.from(payload),
	});
}

const sendParts = (parts: readonly FormPart[]) => send(formOf(parts));

describe("a form", () => {
	it("makes a release of its file and fields", async () => {
		const fields = {
			release: signed(),
			version: "1.1.0",
			device_type: "thermostat",
			build_number: "1",
			project_name: "test",
			is_stable: "false",
			is_security_fix: "true",
			chunk_size: "4096",
			notes: "first line\r\nsecond line",
		};
		const answer = await sendParts([...fieldsOf(fields), fileOf(image)]);
		expect(answer.statusCode).toBe(201);
		expect(answer.json()).toMatchObject({
			outcome: "created",
			firmware: {
				id: 1,
				version: "1.1.0",
				size: image.length,
				hash: sha256(image),
				file_path: `${sha256(image).slice(0, 2)}/${sha256(image)}.bin`,
				chunk_size: 4096,
				channel: "beta",
				is_stable: false,
				is_active: true,
				is_security_fix: true,
				notes: "first line\nsecond line",
			},
		});
		expect(await rig.storedFiles()).toEqual([`${sha256(image)}.bin`]);
		const again = await sendParts([...fieldsOf({ release: signed() }), fileOf(image)]);
		expect([again.statusCode, again.json().outcome]).toEqual([200, "unchanged"]);
	});

	it("that comes in small pieces over a socket makes the same release", async () => {
		const url = await rig.app.listen();
		const form = new FormData();
		form.set("release", signed());
		form.set("file", new Blob([Buffer.from(image)]), "firmware.bin");
		const answer = await fetch(`${url}${URL_PATH}`, {
			method: "POST",
			headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
			body: form,
		});
		expect(answer.status).toBe(201);
		const slow = new ReadableStream<Uint8Array>({
			async start(controller) {
				const body = formOf([...fieldsOf({ release: signed() }), fileOf(image)]);
				for (let at = 0; at < body.length; at += 1999) {
					controller.enqueue(body.subarray(at, at + 1999));
					await new Promise((resolve) => setImmediate(resolve));
				}
				controller.close();
			},
		});
		const again = await fetch(`${url}${URL_PATH}`, {
			method: "POST",
			headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": FORM_TYPE },
			body: slow,
			duplex: "half",
		} as RequestInit);
		expect([again.status, ((await again.json()) as { outcome: string }).outcome]).toEqual([200, "unchanged"]);
	});

	const refused: readonly (readonly [string, string, () => Uint8Array])[] = [
		["no parts at all", "400 request-malformed", () => formOf([])],
		["no body", "400 request-malformed", () => new Uint8Array(0)],
		["text that is no form", "400 request-malformed", () => Buffer.from("hello")],
		["no file", "400 request-malformed", () => formOf(fieldsOf({ release: signed() }))],
		["no statement", "400 request-malformed", () => formOf([fileOf(image)])],
		[
			"the file before the statement",
			"400 request-malformed",
			() => formOf([fileOf(image), ...fieldsOf({ release: signed() })]),
		],
		[
			"a field behind the file",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), fileOf(image), ...fieldsOf({ notes: "late" })]),
		],
		[
			"two files",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), fileOf(image), fileOf(image, "other")]),
		],
		[
			"a field twice",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), ...fieldsOf({ release: signed() }), fileOf(image)]),
		],
		[
			"a field nobody knows",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed(), is_admin: "true" }), fileOf(image)]),
		],
		[
			"a field named like a part of every object",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), { name: "__proto__", value: "x" }, fileOf(image)]),
		],
		[
			"a field that is too long",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed(), notes: "x".repeat(20_000) }), fileOf(image)]),
		],
		[
			"notes that are too long",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed(), notes: "x".repeat(4001) }), fileOf(image)]),
		],
		[
			"more fields than there are",
			"400 request-malformed",
			() => formOf([...Array.from({ length: 60 }, (_, i) => ({ name: `f${i}`, value: "x" })), fileOf(image)]),
		],
		[
			"channel and is_stable that contradict each other",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed(), channel: "beta", is_stable: "true" }), fileOf(image)]),
		],
		[
			"a claim that is not signed",
			"422 manifest-mismatch",
			() => formOf([...fieldsOf({ release: signed(), min_current_version: "1.0.0" }), fileOf(image)]),
		],
		[
			"a chip that is not signed",
			"422 manifest-mismatch",
			() => formOf([...fieldsOf({ release: signed(), chip: "esp32s3" }), fileOf(image)]),
		],
		[
			"a statement by a key that is not registered",
			"422 signature-invalid",
			() =>
				formOf([
					...fieldsOf({ release: signStatement(statementFor(image), makeReleaseKey()) }),
					fileOf(image),
				]),
		],
		[
			"a file that is cut off",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), fileOf(image)]).subarray(0, -5000),
		],
		[
			"an end that is missing",
			"400 request-malformed",
			() => formOf([...fieldsOf({ release: signed() }), fileOf(image)]).subarray(0, -BOUNDARY.length - 6),
		],
		[
			"a file that is too large",
			"413 upload-too-large",
			() => formOf([...fieldsOf({ release: signed() }), fileOf(Buffer.alloc(250_000))]),
		],
		[
			"endless bytes before the first part",
			"413 upload-too-large",
			() => Buffer.concat([Buffer.alloc(400_000, "x"), formOf([fileOf(image)])]),
		],
	];
	it.each(refused)("of %s is refused with %s and leaves nothing", async (_name, problem, bodyOf) => {
		const answer = await send(bodyOf());
		expect(problemOf(answer)).toBe(problem);
		await rig.expectNothingLeft();
		expect(await rig.eventTypes("fota")).toEqual(["upload_refused"]);
	});

	it.each(["multipart/form-data", 'multipart/form-data; boundary=""', "application/json", "text/plain"])(
		"of type %s is refused",
		async (contentType) => {
			const body = formOf([...fieldsOf({ release: signed() }), fileOf(image)]);
			expect(problemOf(await send(body, contentType))).toMatch(/^(400|415) request-malformed$/);
			await rig.expectNothingLeft();
		},
	);

	it("without a token is refused before it is read", async () => {
		const headers = { "content-type": FORM_TYPE };
		const answer = await rig.server.inject({ method: "POST", url: URL_PATH, headers, payload: "x" });
		expect(problemOf(answer)).toBe("401 auth-missing");
	});

	it("meets a full disk, leaves nothing, and is taken once there is room", async () => {
		const parts = [...fieldsOf({ release: signed() }), fileOf(image)];
		isDiskFull = true;
		expect(problemOf(await sendParts(parts))).toBe("507 server-unavailable");
		await rig.expectNothingLeft();
		isDiskFull = false;
		expect((await sendParts(parts)).statusCode).toBe(201);
	});

	it("too large is refused while it still comes; broken off, it leaves nothing", async () => {
		const { port } = new URL(await rig.app.listen());
		const start = formOf([...fieldsOf({ release: signed() }), fileOf(image)]).subarray(0, -5000);
		const openForm = async (length: number) => {
			const socket = connect(Number(port), "127.0.0.1");
			socket.on("error", () => undefined);
			await once(socket, "connect");
			const head = `POST ${URL_PATH} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n`;
			socket.write(`${head}content-type: ${FORM_TYPE}\r\ncontent-length: ${length}\r\n\r\n`);
			socket.write(start);
			return socket;
		};
		const large = await openForm(500_000_000);
		let text = "";
		large.on("data", (piece) => {
			text += piece.toString("latin1");
		});
		const closed = once(large, "close");
		for (let i = 0; i < 40 && !large.destroyed; i++)
			if (!large.write(Buffer.alloc(65_536))) await Promise.race([once(large, "drain"), closed]);
		await closed;
		expect(text).toContain("HTTP/1.1 413");
		const cut = await openForm(start.length + 5000);
		await expect.poll(() => rig.storedFiles()).toHaveLength(1);
		cut.destroy();
		await expect.poll(() => rig.storedFiles()).toEqual([]);
		await rig.expectNothingLeft();
	});
});
