// The response parser on generated, damaged and meaningless bytes: no split changes what it says.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_INTERIM_RESPONSES, MAX_RESPONSE_VALUES_BYTES } from "../../src/http/limits.js";
import { latin1, OK, readResponse } from "./read-response.js";

const tokenCharacter = fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~");
const header = fc
	.tuple(
		fc.string({ unit: tokenCharacter, minLength: 1, maxLength: 40 }),
		fc.string({ unit: fc.constantFrom(..."aZ0 ,;=\t/"), maxLength: 60 }),
	)
	.map(([name, value]) => `Y-${name}: ${value}`);
const validResponse = fc
	.record({
		interim: fc.integer({ min: 0, max: MAX_INTERIM_RESPONSES }),
		status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
		reason: fc.string({ unit: fc.constantFrom(..."OK not\xe9\t"), maxLength: 40 }),
		before: fc.array(header, { maxLength: 10 }),
		after: fc.array(header, { maxLength: 10 }),
		mac: fc.string({ unit: fc.constantFrom(..."aZ09+/=\"'"), maxLength: MAX_RESPONSE_VALUES_BYTES / 2 }),
		body: fc
			.array(fc.integer({ min: 0, max: 255 }), { maxLength: 500 })
			.map((bytes) => String.fromCharCode(...bytes)),
	})
	.map((parts) => ({
		...parts,
		text: [
			"HTTP/1.1 100 Continue\r\n\r\n".repeat(parts.interim),
			`HTTP/1.1 ${parts.status} ${parts.reason}\r\n`,
			...parts.before.map((line) => `${line}\r\n`),
			`X-Mac: ${parts.mac}\r\nContent-Length: ${parts.body.length}\r\n`,
			...parts.after.map((line) => `${line}\r\n`),
			`\r\n${parts.body}`,
		].join(""),
	}));
const pieces = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 });

describe("whatever comes, in whatever pieces", () => {
	it("reads a valid response the same in every split", () => {
		fc.assert(
			fc.property(validResponse, pieces, (response, split) => {
				const read = readResponse(response.text, { pieces: split });
				expect(read).toEqual({
					error: undefined,
					isDone: true,
					isKeepAlive: true,
					status: response.status,
					headCount: 1,
					headers: [undefined, response.mac],
					body: response.body,
				});
			}),
			{ numRuns: 500 },
		);
	});

	it("never throws on garbage and never keeps more than the limits allow", () => {
		const start = fc.constantFrom(
			"",
			"HTTP/1.1 200 OK\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
			`${OK}X-Mac: `,
		);
		const garbage = fc.oneof(
			fc.uint8Array({ maxLength: 4000 }),
			fc
				.string({
					unit: fc.constantFrom("\r", "\n", ":", " ", "X-Mac", "Content-Length", "9", "\x00"),
					maxLength: 400,
				})
				.map(latin1),
		);
		fc.assert(
			fc.property(
				start,
				garbage,
				pieces,
				fc.integer({ min: 0, max: 20 }),
				(prefix, tail, split, maxBodyBytes) => {
					const bytes = new Uint8Array([...latin1(prefix), ...tail]);
					const read = readResponse(bytes, { pieces: split, maxBodyBytes });
					expect(read.body.length).toBeLessThanOrEqual(maxBodyBytes);
					expect(read.headCount).toBeLessThanOrEqual(1);
					for (const value of read.headers) expect(value ?? "").toMatch(/^[ -~]{0,256}$/);
					expect(read).toEqual(readResponse(bytes, { maxBodyBytes }));
				},
			),
			{ numRuns: 1000 },
		);
	});

	it("takes a response with a damaged byte alike in every split, or refuses it alike", () => {
		const damage = fc.record({
			at: fc.nat(),
			kind: fc.constantFrom("change", "remove", "insert", "cut"),
			byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 9, 10, 13, 32, 58)),
		});
		fc.assert(
			fc.property(
				validResponse,
				fc.array(damage, { minLength: 1, maxLength: 3 }),
				pieces,
				(response, damages, split) => {
					const bytes = [...latin1(response.text)];
					for (const { at, kind, byte } of damages) {
						const index = at % (bytes.length + 1);
						if (kind === "cut") bytes.length = index;
						else if (kind === "insert") bytes.splice(index, 0, byte);
						else bytes.splice(index, 1, ...(kind === "change" ? [byte] : []));
					}
					const damaged = Uint8Array.from(bytes);
					const read = readResponse(damaged, { pieces: split });
					expect(read).toEqual(readResponse(damaged));
					expect(read.isDone && read.error !== undefined).toBe(false);
					expect(read.body.length).toBeLessThanOrEqual(65_536);
				},
			),
			{ numRuns: 1000 },
		);
	});
});
