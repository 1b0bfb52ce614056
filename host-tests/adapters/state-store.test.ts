// State and nonces over key-value storage: the contract, and faults of the storage beneath.

import { describe, expect, it } from "vitest";
import { TextStateStore } from "../../src/adapters/state-store.js";
import { type KeyValueModule, KeyValueTexts } from "../../src/adapters/text-storage.js";
import { STATE_MAX_BYTES } from "../../src/protocol/limits.js";
import { describeContract } from "../contracts/on-node.js";
import { stateStoreContract } from "../contracts/state-store.js";
import { MemoryTexts } from "../fakes/memory-texts.js";
import { RecordingLog } from "../fakes/recording-log.js";

/** `embedded:storage/key-value` as the SDK's behaves, in memory. */
class FakeKeyValue implements KeyValueModule {
	readonly values = new Map<string, string>();
	readonly opened: unknown[] = [];
	openFault: Error | undefined;
	fault: Error | undefined;

	open(options: { readonly path: string; readonly format: "string" }) {
		if (this.openFault !== undefined) throw this.openFault;
		this.opened.push(options);
		return {
			read: (key: string) => {
				if (this.fault !== undefined) throw this.fault;
				return this.values.get(`${options.path}/${key}`);
			},
			write: (key: string, value: string) => {
				if (this.fault !== undefined) throw this.fault;
				this.values.set(`${options.path}/${key}`, value);
			},
		};
	}
}

const storeOn = (module: FakeKeyValue, log = new RecordingLog()) =>
	new TextStateStore({ storage: new KeyValueTexts({ module, path: "fota" }), log });

describeContract("TextStateStore over fake key-value storage", stateStoreContract, () => {
	const module = new FakeKeyValue();
	const open = () => ({ store: storeOn(module), maxChars: STATE_MAX_BYTES });
	return { subject: open(), restart: open };
});

describe("key-value storage", () => {
	it("is opened once, at first use", () => {
		const module = new FakeKeyValue();
		const store = storeOn(module);
		expect(module.opened).toHaveLength(0);
		store.write("a");
		store.read();
		expect(module.opened).toEqual([{ path: "fota", format: "string" }]);
		expect(module.values.get("fota/state")).toBe("a");
	});

	it("that cannot be opened is tried again at each use", () => {
		const module = new FakeKeyValue();
		const log = new RecordingLog();
		const store = storeOn(module, log);
		module.openFault = new Error("ESP_ERR_NVS_NOT_INITIALIZED");
		expect(store.read()).toBeUndefined();
		expect(() => store.write("a")).toThrow(expect.objectContaining({ code: "storage-failed" }));
		module.openFault = undefined;
		store.write("b");
		expect(store.read()).toBe("b");
		expect(log.lines).toEqual(["error: storage-failed: reading state: ESP_ERR_NVS_NOT_INITIALIZED"]);
	});

	it("that is full throws storage-failed and keeps the old text", () => {
		const module = new FakeKeyValue();
		const store = storeOn(module);
		store.write("old");
		module.fault = new Error("ESP_ERR_NVS_NOT_ENOUGH_SPACE");
		expect(() => store.write("new")).toThrow(/writing state: ESP_ERR_NVS_NOT_ENOUGH_SPACE/);
		module.fault = undefined;
		expect(store.read()).toBe("old");
	});

	it("that holds a value of another type reads as empty, and is logged", () => {
		const module = new FakeKeyValue();
		const log = new RecordingLog();
		module.fault = new TypeError("mismatch");
		expect(storeOn(module, log).read()).toBeUndefined();
		expect(log.lines).toHaveLength(1);
	});
});

describeContract("TextStateStore over the texts in memory of other tests", stateStoreContract, () => {
	const storage = new MemoryTexts();
	const store = () => new TextStateStore({ storage, log: new RecordingLog() });
	const open = () => ({ store: store(), maxChars: STATE_MAX_BYTES });
	return { subject: open(), restart: open };
});
