// How passwords are kept and compared.
import { scryptSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createPasswords, makeOneTimePassword } from "../../../server/auth/passwords.js";

const passwords = createPasswords({ costLog2: 4 });

describe("a password", () => {
	it("is kept as scrypt with its parameters and a salt of its own, and is recognised", async () => {
		const text = await passwords.hash("correct horse battery");
		const [, , parameters, salt = "", hash] = text.split("$");
		expect(parameters).toBe("ln=4,r=8,p=3");
		const expected = scryptSync("correct horse battery", Buffer.from(salt, "base64url"), 32, {
			N: 16,
			r: 8,
			p: 3,
		});
		expect(hash).toBe(expected.toString("base64url"));
		expect(await passwords.hash("correct horse battery")).not.toBe(text);
		expect(await passwords.verify("correct horse battery", text)).toBe(true);
		expect(await passwords.verify("correct horse batterY", text)).toBe(false);
		expect(await passwords.verify("", text)).toBe(false);
	});

	it("is the same however its characters are composed", async () => {
		const text = await passwords.hash("caf\u00e9 au lait");
		expect(await passwords.verify("cafe\u0301 au lait", text)).toBe(true);
	});

	it("is still recognised when the cost is another one since", async () => {
		const text = await createPasswords({ costLog2: 2 }).hash("an older password");
		expect(await passwords.verify("an older password", text)).toBe(true);
	});

	it("takes as long where there is no user", async () => {
		const slow = createPasswords({ costLog2: 13 });
		const text = await slow.hash("a password of somebody");
		// In turns, and the quickest of each: what holds the machine up holds both up, or spares one of them.
		const [known, unknown]: [number[], number[]] = [[], []];
		for (let i = 0; i < 9; i++)
			for (const [times, hash] of [[known, text] as const, [unknown, undefined] as const]) {
				const startMs = performance.now();
				expect(await slow.verify("a wrong password", hash)).toBe(false);
				times.push(performance.now() - startMs);
			}
		const ratio = Math.min(...known) / Math.min(...unknown);
		expect(ratio).toBeGreaterThan(0.2);
		expect(ratio).toBeLessThan(5);
	});

	it("waits for its turn, and is refused where too many wait", async () => {
		const flood = Array.from({ length: 60 }, () =>
			passwords.verify("x", undefined).catch((error) => error.code),
		);
		const outcomes = await Promise.all(flood);
		expect(outcomes.filter((outcome) => outcome === "rate-limited")).toHaveLength(26);
		expect(outcomes.filter((outcome) => outcome === false)).toHaveLength(34);
		expect(await passwords.verify("x", undefined)).toBe(false);
	});

	it("for once is never the same, and has no letters that look alike", () => {
		const made = Array.from({ length: 50 }, makeOneTimePassword);
		expect(new Set(made).size).toBe(50);
		for (const text of made) expect(text).toMatch(/^[a-hjkmnp-z2-9]{6}(-[a-hjkmnp-z2-9]{6}){3}$/);
	});
});
