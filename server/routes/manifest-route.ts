// GET manifest: which release is offered to the device that asks (docs/protocol.md §5).
import { Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { CHUNK_SIZES_BYTES } from "../../src/protocol/limits.js";
import { chunkCountOf, encodeManifest, MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { isVersion } from "../../src/protocol/version.js";
import { chooseRelease } from "../domain/offer.js";
import type { Server, Services } from "../services.js";
import { noteOffer } from "../stores/device-store.js";
import { findRelease, listActiveReleases } from "../stores/release-store.js";
import { findStatus } from "../stores/status-store.js";
import type { DeviceRow, ReleaseRow } from "../stores/tables.js";
import { callerOf, noteTypeMismatch } from "./device-scope.js";
import { sendProblem } from "./problems.js";
import { ChipSchema, ChunkBytesSchema, NameSchema, VersionSchema } from "./schemas.js";

// All optional: devices of the old server ask without a word, and are known by their registration.
const Query = Type.Object({
	device_type: Type.Optional(NameSchema),
	chip: Type.Optional(ChipSchema),
	version: Type.Optional(VersionSchema),
	chunk_size: Type.Optional(ChunkBytesSchema),
});

export function registerManifestRoute(server: Server, services: Services): void {
	server.get(MANIFEST_PATH, { schema: { querystring: Query } }, async (request, reply) => {
		const { device_type: deviceType, chip, version, chunk_size: chunkBytes } = request.query;
		const caller = callerOf(request);
		const { device } = caller;
		if (version !== undefined && !isVersion(version))
			throw new FotaError("request-malformed", "version is not a semantic version");
		if (chunkBytes !== undefined && !CHUNK_SIZES_BYTES.includes(chunkBytes))
			throw new FotaError("request-malformed", `chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
		const code = mismatchOf(device, { deviceType, chip });
		if (code !== undefined) {
			await noteTypeMismatch(services, request, { deviceType: deviceType ?? device.device_type, chip });
			return sendProblem(reply, { status: 403, code, detail: "registered otherwise at this server" });
		}
		const release = await releaseFor(services, device, { chip, version });
		if (release === undefined) return reply.code(204).send();
		await noteOffer(services.db, device.device_id, release.id);
		return reply.type("application/json").send(manifestOf(release, chunkBytes ?? release.chunk_bytes));
	});
}

function mismatchOf(
	device: DeviceRow,
	claimed: { readonly deviceType: string | undefined; readonly chip: string | undefined },
) {
	if (claimed.deviceType !== undefined && claimed.deviceType !== device.device_type)
		return "device-type-mismatch" as const;
	if (claimed.chip !== undefined && device.chip !== null && claimed.chip !== device.chip)
		return "chip-mismatch" as const;
	return undefined;
}

async function releaseFor(
	services: Services,
	device: DeviceRow,
	claimed: { readonly chip: string | undefined; readonly version: string | undefined },
): Promise<ReleaseRow | undefined> {
	const { db } = services;
	const status = await findStatus(db, device.device_id);
	const chip = claimed.chip ?? device.chip ?? status?.chip;
	if (chip === undefined) throw new FotaError("request-malformed", "chip is neither given nor registered");
	const currentVersion = claimed.version;
	const current =
		currentVersion === undefined ? undefined : await findRelease(db, device.device_type, currentVersion);
	return chooseRelease(await listActiveReleases(db, device.device_type, chip), {
		currentVersion,
		currentSecurityVersion: current?.security_version,
	});
}

function manifestOf(release: ReleaseRow, chunkBytes: number): string {
	return encodeManifest({
		version: release.version,
		buildNumber: release.build_number,
		sizeBytes: release.size_bytes,
		hash: release.hash,
		chunkBytes,
		chunkCount: chunkCountOf(release.size_bytes, chunkBytes),
		release: release.statement,
	});
}
