// Server-sent events over a real connection: what comes, from where on, and when it ends.
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEventStream } from "../../server/live/event-stream.js";
import { createStreamPlaces, STREAMS_PER_ACTOR_MAX } from "../../server/live/stream-places.js";
import { ADMIN_TOKEN, createRigApp, ServerRig } from "./server-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";

interface Told {
	readonly event: string;
	readonly id: number;
	readonly data: { readonly type: string; readonly device_id: string | null; readonly progress?: number };
}

/** Reads a stream until it was told to stop; `told` grows. */
class Listener {
	readonly told: Told[] = [];
	isOver = false;
	readonly #end = new AbortController();
	status = 0;

	static async open(url: string, headers: Record<string, string> = {}): Promise<Listener> {
		const listener = new Listener();
		const answer = await fetch(url, {
			headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
			signal: listener.#end.signal,
		});
		listener.status = answer.status;
		if (answer.status === 200) void listener.#read(answer);
		else await answer.text();
		return listener;
	}

	async #read(answer: Response): Promise<void> {
		let text = "";
		try {
			for await (const piece of answer.body ?? []) {
				text += Buffer.from(piece).toString();
				const blocks = text.split("\n\n");
				text = blocks.pop() ?? "";
				for (const block of blocks) this.#take(block);
			}
		} catch {
			// Cut, by the test or by the server.
		}
		this.isOver = true;
	}

	#take(block: string): void {
		const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
		const data = fields.get("data");
		if (data === undefined) return;
		this.told.push({
			event: fields.get("event") ?? "",
			id: Number(fields.get("id")),
			data: JSON.parse(data),
		});
	}

	types(): string[] {
		return this.told.map(({ data }) => data.type);
	}

	close(): void {
		this.#end.abort();
	}
}

describe("a stream of events", () => {
	let rig: ServerRig;
	let url: string;
	let listeners: Listener[];
	beforeEach(async () => {
		// fetch() opens the next connection as soon as one was cut: nothing comes over it, and nobody waits for that.
		rig = await ServerRig.create({ eventPollMs: 20, stopTimeoutMs: 100 });
		url = `${await rig.app.listen()}/api/events`;
		listeners = [];
	});
	afterEach(async () => {
		for (const listener of listeners) listener.close();
		await rig.close();
	});
	const listen = async (query = "", headers: Record<string, string> = {}) => {
		const listener = await Listener.open(url + query, headers);
		listeners.push(listener);
		return listener;
	};
	const target = { version: "1.1.0", hash: "a".repeat(64) };

	it("tells what happens from now on, and the progress of a download in per cent", async () => {
		await rig.device("before");
		const listener = await listen();
		const device = await rig.device();
		await device.report(rig.server, { state: "DOWNLOADING", target, chunksReceived: 3, chunkCount: 9 });
		await expect.poll(() => listener.types()).toEqual(["device_registered", "chunk_received", "boot_status"]);
		expect(listener.told.map(({ event }) => event)).toEqual(["log", "progress", "log"]);
		expect(listener.told[1]?.data).toMatchObject({ device_id: "dev-1", progress: 33, log: "fota" });
	});

	it("filters by log, device and type", async () => {
		const security = await listen("?log=security");
		const one = await listen("?device_id=dev-2&type=device_registered");
		await rig.device("dev-1");
		const device = await rig.device("dev-2");
		await device.report(rig.server);
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "r" });
		await expect.poll(() => security.types()).toEqual(["rollback_ordered"]);
		expect(one.told.map(({ data }) => `${data.device_id} ${data.type}`)).toEqual(["dev-2 device_registered"]);
	});

	it("goes on behind Last-Event-ID, which counts more than `after`", async () => {
		const first = await listen("?after=0");
		for (let i = 0; i < 5; i++) await rig.device(`dev-${i}`);
		await expect.poll(() => first.told.length).toBe(6);
		const third = first.told[2]?.id ?? 0;
		const again = await listen("?after=0", { "last-event-id": String(third) });
		await expect.poll(() => again.told.length).toBe(3);
		expect(again.told).toEqual(first.told.slice(3));
		expect((await listen("", { "last-event-id": "many" })).status).toBe(400);
	});

	it("ends when the server stops, which does not wait for its reader", async () => {
		await rig.close();
		// Whoever waits for the reader instead waits longer than a test.
		rig = await ServerRig.create({ eventPollMs: 20, stopTimeoutMs: 3_600_000 });
		url = `${await rig.app.listen()}/api/events`;
		const listener = await listen();
		await rig.close();
		await expect.poll(() => listener.isOver).toBe(true);
	});

	it("is refused beyond a user's share, and let in again when one ends", async () => {
		const many = await Promise.all(Array.from({ length: STREAMS_PER_ACTOR_MAX }, () => listen()));
		expect(many.map(({ status }) => status)).toEqual(many.map(() => 200));
		expect((await listen()).status).toBe(429);
		many[0]?.close();
		await expect.poll(async () => (await listen()).status).toBe(200);
	});

	it("is counted while it is open", async () => {
		const listener = await listen();
		await rig.device();
		await expect.poll(() => listener.told.length).toBe(1);
		const metrics = async () => (await rig.get("/metrics")).body;
		expect(await metrics()).toContain("fota_event_streams 1");
		listener.close();
		await expect.poll(metrics).toContain("fota_event_streams 0");
	});
});

describe("a stream whose reader", () => {
	const event = { id: 1, log: "fota", time: "", device_id: null, type: "boot_status", details: {} } as const;
	const endless = () => ({
		isClosed: false,
		start: async () => 0,
		next: async (after: number) => [{ ...event, id: after + 1, details: { text: "x".repeat(10_000) } }],
		close() {
			this.isClosed = true;
		},
	});
	const streamOf = (reader: ReturnType<typeof endless>) =>
		createEventStream({
			reader,
			after: 0,
			isWanted: () => true,
			signal: new AbortController().signal,
			keepAliveMs: 50,
			stallMs: 200,
		});

	it("takes nothing is cut, and holds one block at most", async () => {
		const reader = endless();
		const stream = streamOf(reader);
		await once(stream, "readable");
		expect(stream.readableLength).toBeLessThanOrEqual(1);
		await once(stream, "close");
		expect(reader.isClosed).toBe(true);
	});

	it("leaves while nothing happens is gone at once, not with the next event or keep-alive", async () => {
		let isAsked = () => {};
		const asked = new Promise<void>((resolve) => {
			isAsked = resolve;
		});
		const reader = {
			start: async () => 0,
			next: (_after: number, signal: AbortSignal) => {
				isAsked();
				return new Promise<readonly []>((resolve) => signal.addEventListener("abort", () => resolve([])));
			},
			close() {},
		};
		const { signal } = new AbortController();
		const never = { keepAliveMs: 3_600_000, stallMs: 3_600_000 };
		const stream = createEventStream({ reader, after: 0, isWanted: () => true, signal, ...never });
		stream.resume();
		await asked;
		stream.destroy();
		await once(stream, "close");
	});

	it("wants nothing of a long log lets others come to their turn between its pages", async () => {
		const event = { log: "fota", time: "", device_id: null, type: "t", details: {} } as const;
		let asked = 0;
		const reader = {
			start: async () => 0,
			next: async (after: number, signal: AbortSignal) => {
				asked++;
				if (asked < 1000) return [{ ...event, id: after + 1 }];
				return new Promise<readonly []>((resolve) => signal.addEventListener("abort", () => resolve([])));
			},
			close() {},
		};
		const { signal } = new AbortController();
		const never = { keepAliveMs: 3_600_000, stallMs: 3_600_000 };
		const stream = createEventStream({ reader, after: 0, isWanted: () => false, signal, ...never });
		stream.resume();
		for (let turns = 0; turns < 9; turns++) await new Promise((resolve) => setImmediate(resolve));
		expect(asked).toBeLessThan(20);
		stream.destroy();
		await once(stream, "close");
	});

	it("takes it slowly, but takes it, is not cut", async () => {
		const stream = streamOf(endless());
		for (let i = 0; i < 8; i++) {
			await new Promise((resolve) => setTimeout(resolve, 75));
			if (stream.readableLength > 0) stream.read();
		}
		expect(stream.destroyed).toBe(false);
		stream.destroy();
	});
});

describe("the places for streams", () => {
	it("are bounded for all together", () => {
		const places = createStreamPlaces();
		for (let i = 0; i < 200; i++) places.take(`user:${i}`);
		expect(() => places.take("user:x")).toThrow(expect.objectContaining({ code: "server-unavailable" }));
	});

	it("are given back once", () => {
		const places = createStreamPlaces();
		const give = Array.from({ length: STREAMS_PER_ACTOR_MAX }, () => places.take("user:a"));
		give[0]?.();
		give[0]?.();
		places.take("user:a");
		expect(() => places.take("user:a")).toThrow(expect.objectContaining({ code: "rate-limited" }));
	});
});

describe.runIf(databaseKind === "PostgreSQL")("streams of two servers on one database", () => {
	let database: TestDatabase;
	beforeEach(async () => {
		database = await testDatabase();
	});
	afterEach(() => database.remove());

	it("tell the same events in the same order, wherever they happen", async () => {
		const options = { databaseUrl: database.url, eventPollMs: 20 };
		const left = new ServerRig(await createRigApp(options));
		const right = new ServerRig(await createRigApp(options), left.releaseKey);
		const heard = await Promise.all(
			[left, right].map(async (rig) => Listener.open(`${await rig.app.listen()}/api/events?after=0`)),
		);
		await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? left : right).device(`dev-${i}`)));
		for (const one of heard) await expect.poll(() => one.told.length).toBe(20);
		expect(heard[0]?.told).toEqual(heard[1]?.told);
		for (const one of heard) one.close();
		await Promise.all([left.close(), right.close()]);
	});
});
