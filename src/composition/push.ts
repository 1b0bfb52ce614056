// Puts the push server together: its port, credential, what is asked and who answers. Called by main once, when the
// updater runs.

import Timer from "timer";
import { describeCause } from "../adapters/cause.js";
import type { NativeCrypto } from "../adapters/derived-hmac.js";
import { InformationSource } from "../adapters/device-information.js";
import { PushCredential } from "../adapters/push-credential.js";
import { PushExchange } from "../adapters/push-exchange.js";
import { PushPenalty } from "../adapters/push-penalty.js";
import { PushServer } from "../adapters/push-server.js";
import type { FotaCrypto } from "../native/fota-crypto.js";
import type { FotaFlash } from "../native/fota-flash.js";
import type { FotaSockets } from "../native/fota-sockets.js";
import type { FotaSystem } from "../native/fota-system.js";
import type { Identity } from "../protocol/identity.js";
import { PUSH_PORT } from "../protocol/push.js";
import type { Clock, Log, PushTarget } from "../update/ports.js";

export interface PushParts {
	readonly identity: Pick<Identity, "deviceId" | "deviceKey">;
	readonly target: PushTarget;
	readonly native: NativeCrypto & { readonly functions: Pick<FotaCrypto, "random"> };
	readonly flash: FotaFlash;
	readonly system: FotaSystem;
	readonly sockets: FotaSockets;
	readonly clock: Clock;
	readonly log: Log;
}

/** Undefined where it cannot be built, which is said: a device that pulls is worth more than one that does nothing. */
export function createPushServer(parts: PushParts): PushServer | undefined {
	try {
		return buildPushServer(parts);
	} catch (cause) {
		parts.log.write("error", `no push port: ${describeCause(cause)}`);
		return undefined;
	}
}

function buildPushServer(parts: PushParts): PushServer {
	const { identity, target, native, flash, system, sockets, clock, log } = parts;
	const exchange = new PushExchange({
		target,
		credential: new PushCredential({
			native,
			random: native.functions,
			deviceKey: identity.deviceKey,
			clock,
		}),
		penalty: new PushPenalty(),
		information: new InformationSource({ flash, system, deviceId: identity.deviceId }),
		clock,
		log,
	});
	return new PushServer({
		sockets,
		port: PUSH_PORT,
		timer: Timer,
		clock,
		log,
		serve: (connection, refusal) => exchange.serve(connection, refusal),
	});
}
