// What is cut: a complete update, an operator's rollback, a release that fails its trial boots, and the beginning of an
// update over an image that was given up. Each says how it must end, whatever was cut. Pure; used by the sweep.
import type { LogEvent } from "../../cli/server/server-client.js";

export interface Story {
	/** Also the device type of its devices. */
	readonly name: "update" | "rollback" | "trial" | "retry";
	/** The version that must run, confirmed, when all is over. */
	readonly endsOn: string;
	/** Label of the slot it runs in. */
	readonly endsIn: string;
	/** Line of the serial log after which all is over; after a cut right behind it, it does not come again. */
	readonly tells: string;
	/** Versions that may boot on the way. */
	readonly mayRun: readonly string[];
	/** Line of the serial log at which it begins; undefined: at the first start of a new board. */
	readonly beginsAt?: string;
	/** The last operation that is cut, where what follows is another story's. Default: all. */
	readonly lastOperation?: number;
	/** An operator's order to roll back waits at the server. */
	readonly isOrdered: boolean;
	/** True once the server's log tells the end of the story. */
	readonly isTold: (events: readonly LogEvent[]) => boolean;
}

const has = (type: string) => (events: readonly LogEvent[]) => events.some((event) => event.type === type);

export const STORIES: readonly Story[] = [
	{
		name: "update",
		endsOn: "1.1.0",
		endsIn: "ota_1",
		tells: "the server knows: 1.1.0 completed",
		mayRun: ["1.0.0", "1.1.0"],
		isOrdered: false,
		isTold: has("fota_completed"),
	},
	{
		name: "rollback",
		beginsAt: "idle, running 1.1.0 in ota_1",
		endsOn: "1.0.0",
		endsIn: "ota_0",
		tells: "the server knows: 1.1.0 rolled-back",
		mayRun: ["1.0.0", "1.1.0"],
		isOrdered: true,
		isTold: has("rollback_triggered"),
	},
	{
		name: "trial",
		// Downloaded and activated, about to restart: what comes before is the update story.
		beginsAt: "state REBOOTING",
		endsOn: "1.0.0",
		endsIn: "ota_0",
		tells: "the server knows: 1.2.0 rolled-back",
		mayRun: ["1.0.0", "1.2.0"],
		isOrdered: false,
		isTold: has("rollback_triggered"),
	},
	{
		name: "retry",
		// 1.2.0 gave itself up: its image and an INVALID record of a higher number are still there.
		beginsAt: "the server knows: 1.2.0 rolled-back",
		endsOn: "1.3.0",
		endsIn: "ota_1",
		tells: "the server knows: 1.3.0 completed",
		mayRun: ["1.0.0", "1.3.0"],
		lastOperation: 24,
		isOrdered: false,
		isTold: has("fota_completed"),
	},
];
