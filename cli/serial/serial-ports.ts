// The serial ports a board may hang on, and the USB ids of one. Asked by `fota doctor`, `flash` and `monitor`. It must not
// open a port: opening one may reset the board.
import { access, constants, readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Check, failed, noted, passed } from "../firmware/check.js";

const PORT_NAMES = /^(ttyUSB|ttyACM|cu\.usb|cu\.wchusb|cu\.SLAB)/;

/** Paths of the ports that belong to USB adapters and boards. */
export async function listSerialPorts(devices = "/dev"): Promise<readonly string[]> {
	const names = await readdir(devices).catch(() => []);
	return names
		.filter((name) => PORT_NAMES.test(name))
		.sort()
		.map((name) => join(devices, name));
}

/** One check a port; a note where there is none: building needs no board. */
export async function checkSerialPorts(devices = "/dev"): Promise<readonly Check[]> {
	const title = "serial port";
	const ports = await listSerialPorts(devices);
	if (ports.length === 0)
		return [
			noted(title, "none", "To flash a board, plug it in with a cable that carries data, not power alone."),
		];
	return Promise.all(
		ports.map((port) =>
			access(port, constants.R_OK | constants.W_OK).then(
				() => passed(title, port),
				() => failed(title, `${port} may not be opened`, PERMISSION_HINT),
			),
		),
	);
}

export const PERMISSION_HINT = "Run: sudo usermod -aG dialout $USER, then log out and in again.";

export interface UsbIds {
	readonly usbVendorId?: number;
	readonly usbProductId?: number;
}

/** As Linux knows them; empty for a port that is no USB device, and on other systems. */
export async function usbIdsOf(path: string, tty = "/sys/class/tty"): Promise<UsbIds> {
	try {
		const device = await realpath(join(tty, basename(await realpath(path)), "device"));
		// An adapter's device is below its USB interface (ttyUSB), or is the interface (ttyACM).
		for (const folder of [join(device, ".."), join(device, "..", "..")]) {
			const [vendor, product] = await Promise.all([
				readHex(folder, "idVendor"),
				readHex(folder, "idProduct"),
			]);
			if (vendor !== undefined && product !== undefined)
				return { usbVendorId: vendor, usbProductId: product };
		}
	} catch {
		// No such device in sysfs: the ids only choose between two ways to reset.
	}
	return {};
}

async function readHex(folder: string, name: string): Promise<number | undefined> {
	const text = await readFile(join(folder, name), "utf8").catch(() => "");
	return /^[0-9a-f]{4}\s*$/.test(text) ? Number.parseInt(text, 16) : undefined;
}
