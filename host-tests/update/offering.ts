// A device whose server offers a release, and what it logged. Called by the tests of whole updates; it must not know
// how an update ends.
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

export function offering(
	version: string,
	options: Partial<Parameters<typeof fakeRelease>[0]> = {},
): FakeDevice {
	const device = new FakeDevice();
	device.server.release = fakeRelease({ version, ...options });
	return device;
}

export function lines(device: FakeDevice, pattern: RegExp): string[] {
	return device.log.filter((line) => pattern.test(line));
}
