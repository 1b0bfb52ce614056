// The chain of the audit log, in the format of docs/operation.md.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type AuditLine, auditHash, FIRST_HASH, faultOf } from "../../../server/domain/audit-chain.js";

const line: AuditLine = {
	id: 1,
	at_ms: 1_750_000_000_000,
	actor: "user:anna",
	role: "admin",
	action: "device.register",
	target: "device:lamp-1",
	details: '{"device_type":"lamp"}',
	request_id: null,
	address: "192.0.2.1",
	previous_hash: FIRST_HASH,
};
const start = { id: 0, hash: FIRST_HASH };

describe("a line of the audit log", () => {
	it("is hashed as the document says", () => {
		const text =
			'["FOTA-AUDIT-1",1,1750000000000,"user:anna","admin","device.register","device:lamp-1",' +
			`"{\\"device_type\\":\\"lamp\\"}",null,"192.0.2.1","${FIRST_HASH}"]`;
		expect(auditHash(line)).toBe(createHash("sha256").update(text).digest("hex"));
	});

	it("has another hash with any other field", () => {
		const changed: Partial<AuditLine>[] = [
			{ id: 2 },
			{ at_ms: line.at_ms + 1 },
			{ actor: "user:anna2" },
			{ role: null },
			{ action: "device.register " },
			{ target: null },
			{ details: "{}" },
			{ request_id: "" },
			{ address: null },
			{ previous_hash: "1".repeat(64) },
			// What moves from one field into the next.
			{ action: 'device.register","device:lamp-1', target: "" },
		];
		const hashes = [line, ...changed.map((change) => ({ ...line, ...change }))].map(auditHash);
		expect(new Set(hashes).size).toBe(changed.length + 1);
	});

	it("fits the line before it, or says why not", () => {
		const whole = { ...line, hash: auditHash(line) };
		expect(faultOf(whole, start)).toBeUndefined();
		expect(faultOf({ ...whole, actor: "user:eve" }, start)).toBe("changed");
		expect(faultOf(whole, { ...start, hash: "1".repeat(64) })).toBe("not-linked");
		expect(faultOf({ ...whole, id: 2 }, start)).toBe("missing");
	});
});
