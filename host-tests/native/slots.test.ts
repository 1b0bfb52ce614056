// fota-flash on XS: what it tells, what it refuses, and the life of an image from activation to confirmation or back.
import { afterEach, describe, expect, test } from "vitest";
import { parsePartitionsCsv } from "../../cli/image/partition-table.js";
import { crc32 } from "../../src/protocol/encoding.js";
import { makeRecord, putRecords, readRecord, STATE } from "./boot-record.js";
import { ModuleDevice, makeFlash } from "./xs-device.js";

const PRELUDE = `
import { FotaFlash } from "native/fota-flash";
const flash = new FotaFlash();
const bytes = new Uint8Array(4096).fill(0x5a);
const fails = (act) => { try { act(); return "done"; } catch (error) { return error.name + ": " + error.message; } };
`;
const devices: ModuleDevice[] = [];
afterEach(() => {
	for (const device of devices.splice(0)) device.close();
});

function deviceFor(body: string): ModuleDevice {
	const device = new ModuleDevice(`${PRELUDE} export default function (print, system) { ${body} }`);
	devices.push(device);
	return device;
}

/** As after an update: ota_0 confirmed, ota_1 in the given state, both with the module's image. */
function flashWith(device: ModuleDevice, state: number): Uint8Array {
	const flash = makeFlash({ ota_0: device.image, ota_1: device.image });
	putRecords(flash, [makeRecord({ sequence: 1, state: STATE.valid }), makeRecord({ sequence: 2, state })]);
	return flash;
}

const FACTORY_TABLE = parsePartitionsCsv(`
	nvs, data, nvs, 0x9000, 0x4000
	otadata, data, ota, 0xd000, 0x2000
	factory, app, factory, 0x10000, 0x40000
	ota_0, app, ota_0, 0x50000, 0x40000
	ota_1, app, ota_1, 0x90000, 0x40000
`);

describe("a confirmed device", () => {
	test("tells its slots and reads what it wrote", async () => {
		const device = deviceFor(`
			const into = new Uint8Array(4096), description = new Uint8Array(256);
			print([flash.slotCount(), flash.running(), flash.boot(), flash.next(), flash.label(1), flash.sizeBytes(1)]);
			flash.prepare(1);
			flash.erase(1, 0, 8192);
			print([flash.isErased(1, 0, 8192), flash.isErased(1, 8191, 1)]);
			flash.write(1, 4096, bytes, 1, 4095);
			flash.read(1, 4096, into, 2, 4094);
			print([into[1], into[2], into[4095], flash.isErased(1, 0, 4096), flash.isErased(1, 0, 4097), flash.isErased(1, 8191, 1)]);
			print([flash.description(1, description), flash.description(0, description), String.fromCharCode(...description.slice(16, 21))]);
			print([flash.state(0), flash.state(1), flash.isOnTrial(), flash.canRollBack(), flash.hasBootloaderRollback()]);
		`);
		expect((await device.run()).lines).toEqual([
			'[2,0,0,1,"ota_1",262144]',
			"[true,true]",
			"[0,90,90,true,false,true]",
			'[false,true,"1.0.0"]',
			"[2,4294967295,false,false,true]",
		]);
	});

	test("refuses ranges that are not whole, not inside or wrap", async () => {
		const device = deviceFor(`
			print(fails(() => flash.erase(1, 1, 4096)));
			print(fails(() => flash.erase(1, 0, 4095)));
			print(fails(() => flash.erase(1, 0, 262144 + 4096)));
			print(fails(() => flash.write(1, 4294967295, bytes, 0, 4096)));
			print(fails(() => flash.write(1, 0, bytes, 4294967295, 4096)));
			print(fails(() => flash.read(1, 262143, bytes, 0, 2)));
			print(fails(() => flash.read(1, 0, bytes, 0, 2 ** 32)));
			print(fails(() => flash.isErased(1, 262144, 1)));
			print(fails(() => flash.description(0, new Uint8Array(255))));
		`);
		expect((await device.run()).lines).toEqual([
			"RangeError: not whole sectors",
			"RangeError: not whole sectors",
			"RangeError: outside the partition",
			"RangeError: outside the partition",
			"RangeError: outside the buffer",
			"RangeError: outside the partition",
			"RangeError: not in range",
			"RangeError: outside the partition",
			"RangeError: outside the buffer",
		]);
	});

	test("never touches the running slot, an unprepared one, or partitions that are not its own", async () => {
		const device = deviceFor(`
			print(fails(() => flash.erase(0, 0, 4096)));
			print(fails(() => flash.write(0, 0, bytes, 0, 16)));
			print(fails(() => flash.activate(0)));
			print(fails(() => flash.erase(1, 0, 4096)));
			print(fails(() => flash.erase(2, 0, 4096)));
			print(fails(() => flash.erase(-1, 0, 4096)));
			for (const label of ["otadata", "nvs", "ota_1", "none", "a label that is far too long"])
				print(fails(() => flash.dataErase(label, 0, 4096)).split(":")[0] + (flash.state(0) === 2));
			flash.dataErase("fota_id", 4096, 4096);
			flash.dataWrite("fota_id", 4096, bytes, 0, 16);
			flash.dataRead("fota_id", 4090, bytes, 0, 8);
			print([flash.dataSizeBytes("fota_id"), bytes[5], bytes[6]]);
		`);
		const flash = makeFlash({ ota_0: device.image, ota_1: device.image });
		putRecords(flash, [
			makeRecord({ sequence: 3, state: STATE.valid, isKept: true }),
			makeRecord({ sequence: 2, state: STATE.valid }),
		]);
		device.flash = flash;
		expect((await device.run()).lines).toEqual([
			"Error: ESP_ERR_OTA_PARTITION_CONFLICT",
			"Error: ESP_ERR_OTA_PARTITION_CONFLICT",
			"Error: ESP_ERR_OTA_PARTITION_CONFLICT",
			"Error: ESP_ERR_INVALID_STATE",
			"Error: ESP_ERR_NOT_FOUND",
			"RangeError: not in range",
			...["Error", "Error", "Error", "Error"].map((name) => `${name}true`),
			expect.stringMatching(/^\w*Errortrue$/),
			"[8192,255,90]",
		]);
	});

	test("activates no slot without a whole image, and changes nothing then", async () => {
		const device = deviceFor(
			`print(fails(() => flash.verify(1))); print(fails(() => flash.activate(1))); print(flash.boot());`,
		);
		expect((await device.run()).lines).toEqual([
			"Error: ESP_ERR_IMAGE_INVALID",
			"Error: ESP_ERR_OTA_VALIDATE_FAILED",
			"0",
		]);
	});

	test.each([
		["a record whose sequence number is near its end", { sequence: 0xfffffffd, state: STATE.valid }],
		["no record but one of its damaged neighbour", { sequence: 2, state: STATE.valid }],
		["a record that was given up", { sequence: 1, state: STATE.aborted }],
	])("with %s prepares and activates all the same", async (_title, fields) => {
		const device = deviceFor(`
			if (flash.running() === 0) {
				flash.prepare(1);
				flash.erase(1, 0, 4096);
				print([flash.boot(), flash.state(0), flash.state(1)]);
				flash.read(0, 0, bytes, 0, 4096);
				flash.write(1, 0, bytes, 0, 4096);
				flash.activate(1);
				print([flash.boot(), flash.state(0), flash.state(1)]);
			}
		`);
		const flash = makeFlash({ ota_0: device.image, ota_1: device.image });
		flash[0x60000] = 0; // ota_1 does not boot before it is written again
		putRecords(flash, [undefined, makeRecord(fields)]);
		device.flash = flash;
		expect((await device.run()).lines).toEqual(["[0,2,4294967295]", "[1,2,0]"]);
		expect(readRecord(device.flash, 0)?.sequence ?? readRecord(device.flash, 1)?.sequence).toBeLessThan(4);
	});
});

describe("an image on trial", () => {
	const crashing = `
		print([flash.running(), flash.isOnTrial(), flash.trialBoots(1), flash.trialPowerBoots(1)]);
		if (flash.running() === 1) system.restart();
	`;

	test("gets three starts, then the old one runs and tells how many there were", async () => {
		const device = deviceFor(crashing);
		device.flash = flashWith(device, STATE.new);
		expect((await device.run()).lines).toEqual([
			"[1,true,1,0]",
			"[1,true,2,0]",
			"[1,true,3,0]",
			"[0,false,3,0]",
		]);
		expect(readRecord(device.flash, 1)?.state).toBe(STATE.aborted);
	});

	test("under a bootloader without rollback is counted all the same, and told so", async () => {
		const device = deviceFor(`
			print([flash.running(), flash.isOnTrial(), flash.trialBoots(1), flash.hasBootloaderRollback()]);
			if (flash.trialBoots(1) > flash.trialBootsMax() && flash.running() === 1) flash.rollBack(false);
			if (flash.running() === 1) system.restart();
		`);
		device.flash = flashWith(device, STATE.new);
		const { lines } = await device.run("--no-rollback", "--until", "(end of the module)");
		expect(lines).toEqual([
			"[1,true,1,false]",
			"[1,true,2,false]",
			"[1,true,3,false]",
			"[1,true,4,false]",
			"[0,false,4,false]",
		]);
	});

	test("under a bootloader without rollback and confirmed, is still known to be so at later starts", async () => {
		const device = deviceFor(`
			if (flash.isOnTrial()) { flash.confirm(); system.restart(); }
			print([flash.running(), flash.isOnTrial(), flash.hasBootloaderRollback()]);
		`);
		device.flash = flashWith(device, STATE.new);
		const { lines } = await device.run("--no-rollback", "--until", "(end of the module)");
		expect(lines).toEqual(["[1,false,false]"]);
		expect((await device.run()).lines).toEqual(["[1,false,false]"]);
	});

	test("refuses whatever would take its way back", async () => {
		const device = deviceFor(`
			for (const act of [() => flash.prepare(0), () => flash.erase(0, 0, 4096), () => flash.write(0, 0, bytes, 0, 16), () => flash.activate(0)])
				print(fails(act));
			print([flash.isOnTrial(), flash.canRollBack(), flash.trialBootsMax()]);
		`);
		device.flash = flashWith(device, STATE.new);
		expect((await device.run()).lines).toEqual([
			...Array(4).fill("Error: ESP_ERR_OTA_ROLLBACK_INVALID_STATE"),
			"[true,true,3]",
		]);
	});

	test("confirms once and for all", async () => {
		const device = deviceFor(`flash.confirm(); flash.confirm(); print([flash.state(1), flash.isOnTrial()]);`);
		device.flash = flashWith(device, STATE.new);
		expect((await device.run()).lines).toEqual(["[2,false]"]);
		expect((await device.run()).lines).toEqual(["[2,false]"]);
	});

	test("goes back at its own wish", async () => {
		const device = deviceFor(`print(flash.running()); if (flash.running() === 1) flash.rollBack(false);`);
		device.flash = flashWith(device, STATE.new);
		expect((await device.run()).lines).toEqual(["1", "0"]);
		expect(readRecord(device.flash, 1)?.state).toBe(STATE.invalid);
	});

	test("does not go back to a damaged image", async () => {
		const device = deviceFor(
			`print([flash.running(), flash.canRollBack(), fails(() => flash.rollBack(true))]);`,
		);
		const flash = flashWith(device, STATE.new);
		flash[0x20000 + 500] = (flash[0x20000 + 500] ?? 0) ^ 1;
		device.flash = flash;
		expect((await device.run()).lines).toEqual(['[1,false,"Error: ESP_ERR_OTA_ROLLBACK_FAILED"]']);
		expect(readRecord(device.flash, 1)?.state).toBe(STATE.new);
	});

	test("goes back to factory where that is preferred or all that is left", async () => {
		const device = deviceFor(
			`print(flash.label(flash.running())); if (flash.running() === 1) flash.rollBack(true);`,
		);
		const flash = makeFlash(
			{ factory: device.image, ota_0: device.image, ota_1: device.image },
			FACTORY_TABLE,
		);
		putRecords(flash, [
			makeRecord({ sequence: 1, state: STATE.valid }),
			makeRecord({ sequence: 2, state: STATE.new }),
		]);
		device.flash = flash;
		expect((await device.run()).lines).toEqual(["ota_1", "factory"]);
	});
});

test.each([
	{ what: "an unknown format", version: 99 },
	{ what: "contents at odds with themselves", version: 0 },
])("storage of $what is erased before it can stop the chip", async ({ version }) => {
	const device = deviceFor(`print(system.wasStorageErased());`);
	const flash = makeFlash({ ota_0: device.image });
	const header = new Uint32Array([0x53564e46, 7, version]);
	flash.set(new Uint8Array(header.buffer), 0x9000);
	new DataView(flash.buffer).setUint32(0x900c, crc32(new Uint8Array(header.buffer)), true);
	device.flash = flash;
	const { lines } = await device.run();
	expect(lines).toEqual(["true"]);
	expect((await device.run()).lines).toEqual(["false"]);
});
