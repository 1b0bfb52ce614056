// The installer without the runner around it: commands and callbacks that come when no download is open.
import { expect, it } from "vitest";
import type { Desk } from "../../src/update/desk.js";
import { Installer } from "../../src/update/installer.js";
import { Ledger } from "../../src/update/ledger.js";
import type { Event } from "../../src/update/states.js";
import { FakeCrypto } from "../fakes/fake-crypto.js";
import { fakeImage, fakeRelease } from "../fakes/fake-image.js";
import { NorSlots } from "../fakes/nor-slots.js";
import { Power } from "../fakes/power.js";

/** A desk of what opening a download needs. */
function desk() {
	const power = new Power();
	const slots = new NorSlots({ power, sizeBytes: 0x8_0000, onRestart: () => {} });
	slots.flash(fakeImage({ version: "1.0.0", sizeBytes: 20_480 }));
	const log = { write: () => {} };
	const events: Event[] = [];
	let next: () => void = () => {};
	const parts: Pick<Desk, "ledger" | "dispatch" | "later"> = {
		ledger: new Ledger({ read: () => undefined, write: () => {} }, log),
		dispatch: (event) => void events.push(event),
		later: (_delayMs, work) => {
			next = work;
		},
	};
	const ports = { slots, crypto: new FakeCrypto(), log };
	const stub = { ...parts, ports, reporter: { update: () => {} } };
	return { desk: stub as unknown as Desk, power, events, next: () => next() };
}

it("says so when it is to fetch and no download is open", () => {
	const installer = new Installer(desk().desk);
	expect(() => installer.fetch()).toThrow("no download is open");
});

it("says so when a download is to be opened further that was let go", () => {
	const { desk: stub, power, events, next } = desk();
	const { statement } = fakeRelease({ version: "1.1.0" });
	const release = { ...statement, securityVersion: 0, releasedAt: 1000 };
	new Installer(stub).open({ release, chunkBytes: 4096 });
	power.isFaulty = () => true;
	next();
	expect(events).toMatchObject([{ name: "failed", error: { code: "flash-failed" } }]);
	expect(next).toThrow("no download is open");
});
