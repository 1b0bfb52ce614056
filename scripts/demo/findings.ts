// Whether what the demo told is true: each fact is looked up in the flash file or in the server's records, and waited
// for a while, because the device reports in its own time. What stays untrue ends the demo. Called by demo.ts.
import { setTimeout as sleep } from "node:timers/promises";
import { printable } from "../../cli/render/device-table.js";
import { DEVICE_ID, type Stage } from "./stage.js";

const PATIENCE_MS = 30_000;
const LOOK_MS = 200;

export interface Finding {
	readonly fact: string;
	readonly source: "flash" | "server" | "serial";
	readonly isTrue: boolean;
	readonly wanted: string;
	readonly seen: string;
}

interface Look {
	readonly isTrue: boolean;
	readonly seen: string;
}

export class Findings {
	readonly #stage: Stage;
	readonly all: Finding[] = [];

	constructor(stage: Stage) {
		this.#stage = stage;
	}

	async flash(fact: string, wanted: Partial<Awaited<ReturnType<Stage["readFlash"]>>>): Promise<void> {
		const expected = Object.values(wanted).join(" ");
		await this.#find({ fact, source: "flash", wanted: expected }, async () => {
			const found = await this.#stage.readFlash();
			const isTrue = Object.entries(wanted).every(
				([name, value]) => found[name as keyof typeof found] === value,
			);
			return { isTrue, seen: `${found.slot} ${found.state} ${found.version ?? "no image"}` };
		});
	}

	async deviceRuns(fact: string, version: string): Promise<void> {
		await this.#find({ fact, source: "server", wanted: version }, async () => {
			const status = await this.#stage.client.status(DEVICE_ID);
			// Not its state: reports come in their own time, so that is often the one before, a trial's for example.
			return { isTrue: status.version === version, seen: status.version ?? "no version" };
		});
	}

	/** The server's log says that this version failed with this code. */
	async failure(fact: string, wanted: { readonly version: string; readonly code: string }): Promise<void> {
		const expected = `${wanted.version} ${wanted.code}`;
		await this.#find({ fact, source: "server", wanted: expected }, async () => {
			const query = { log: "fota", deviceId: DEVICE_ID, type: "boot_failed", after: 0 } as const;
			const [event] = await this.#stage.client.events(query);
			const { target_version: version, error_code: code, error } = event?.details ?? {};
			const isTrue = version === wanted.version && code === wanted.code;
			return { isTrue, seen: event ? printable(`${version} ${code}: ${error}`) : "no failed boot" };
		});
	}

	/** Events of these types stand in the server's log. */
	async events(fact: string, types: readonly string[]): Promise<void> {
		await this.#find({ fact, source: "server", wanted: types.join(", ") }, async () => {
			const events = await this.#stage.client.events({
				log: "fota",
				deviceId: DEVICE_ID,
				after: 0,
				limit: 500,
			});
			const found = types.filter((type) => events.some((event) => event.type === type));
			return { isTrue: found.length === types.length, seen: found.join(", ") || "none of them" };
		});
	}

	/** Throws when it is not true. */
	note(finding: Finding): void {
		this.all.push(finding);
		const { fact, isTrue, source, wanted, seen } = finding;
		if (!isTrue) throw new Error(`not true: ${fact}\n   wanted: ${wanted}\n   in the ${source}: ${seen}`);
	}

	async #find(what: Pick<Finding, "fact" | "source" | "wanted">, look: () => Promise<Look>): Promise<void> {
		const end = Date.now() + PATIENCE_MS;
		let found = await look();
		while (!found.isTrue && Date.now() < end) {
			await sleep(LOOK_MS);
			found = await look();
		}
		this.note({ ...what, ...found });
	}
}
