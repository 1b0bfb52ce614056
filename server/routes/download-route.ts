// GET and HEAD download: a whole image or a part of it, streamed (docs/protocol.md §17). For devices that want the image
// itself; our firmware takes chunks, each with a MAC of its own. What is answered is domain/download-answer.ts.
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { decideDownload } from "../domain/download-answer.js";
import { mayDownload } from "../domain/download-right.js";
import type { Server, Services } from "../services.js";
import { findReleaseById } from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";
import { callerOf } from "./device-scope.js";
import { endWithRight } from "./download-watch.js";
import { imageStream } from "./image-stream.js";
import { describe } from "./operation.js";
import { OTA_DOWNLOAD_PATH } from "./ota-messages.js";
import { sendProblem } from "./problems.js";
import { CursorSchema, DeviceIdSchema } from "./schemas.js";

const Path = Type.Object({ id: CursorSchema });
/** Of a device without a MAC, see legacyDeviceIdOf(). */
const Query = Type.Object({ device_id: Type.Optional(DeviceIdSchema) });

/**
 * An image never changes under its release, so whoever has it need not ask again. But not in a cache that is shared:
 * who may have it is decided for each device and each time, by type, channel, rollout and whether it is withdrawn.
 */
const CACHE_CONTROL = "private, max-age=31536000, immutable";

const Bytes = {
	media: { "application/octet-stream": Type.Unknown({ description: "The image, or a part of it" }) },
};
const CONDITIONS = ["range", "if-range", "if-match", "if-none-match"];
const DOWNLOAD = {
	tag: "Device interface",
	description: "One range is served; of several, the whole image.",
	params: Path,
	querystring: Query,
	headers: Object.fromEntries(CONDITIONS.map((name) => [name, { schema: Type.String(), isRequired: false }])),
	errors: ["release-unknown"],
} as const;
const GET = describe({
	...DOWNLOAD,
	summary: "The image of a release, whole or in part",
	answers: { 200: Bytes, 206: Bytes, 304: null },
});
const HEAD = describe({
	...DOWNLOAD,
	summary: "What a download would be",
	answers: { 200: null, 304: null },
});

export function registerDownloadRoute(server: Server, services: Services): void {
	for (const [method, schema] of [
		["GET", GET],
		["HEAD", HEAD],
	] as const)
		server.route({
			method,
			url: `${OTA_DOWNLOAD_PATH}/:id`,
			schema,
			handler: async (request, reply) => {
				const release = await findReleaseById(services.db, request.params.id);
				if (release === undefined || !mayDownload(callerOf(request).device, release))
					throw new FotaError("release-unknown", "no such firmware is offered to this device");
				return answer(services, release, { request, reply });
			},
		});
}

async function answer(
	services: Services,
	release: ReleaseRow,
	{ request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): Promise<FastifyReply> {
	const { headers, method } = request;
	const { size_bytes: sizeBytes, hash } = release;
	const etag = `"${hash}"`;
	const conditions = {
		method,
		range: headers.range,
		ifRange: headers["if-range"]?.toString(),
		ifMatch: headers["if-match"],
		ifNoneMatch: headers["if-none-match"],
	};
	const decided = decideDownload(conditions, { sizeBytes, etag });
	if (decided.kind === "precondition-failed")
		return sendProblem(reply, { status: 412, code: "request-malformed", detail: "the image is another one" });
	reply.headers({ etag, "cache-control": CACHE_CONTROL, "accept-ranges": "bytes" });
	if (decided.kind === "not-modified") return reply.code(304).send();
	if (decided.kind === "range-unsatisfiable") {
		reply.headers({ "content-range": `bytes */${sizeBytes}`, "cache-control": "no-store" });
		return sendProblem(reply, {
			status: 416,
			code: "request-malformed",
			detail: "no such part of the image",
		});
	}
	const part = decided.kind === "part" ? decided : { offsetBytes: 0, endBytes: sizeBytes };
	describePart(reply, release, decided.kind === "part" ? part : undefined);
	reply.header("content-length", part.endBytes - part.offsetBytes);
	if (method === "HEAD") return reply.send();
	const stream = imageStream(await services.images.open(hash), part);
	return reply.send(endWithRight(services, stream, { caller: callerOf(request), release }));
}

function describePart(
	reply: FastifyReply,
	release: ReleaseRow,
	part: { readonly offsetBytes: number; readonly endBytes: number } | undefined,
): void {
	const digest = `sha-256=:${Buffer.from(release.hash, "hex").toString("base64")}:`;
	// RFC 9530: of the image, whatever is sent of it; of what is sent, where that is all of it.
	reply.headers({ "content-type": "application/octet-stream", "repr-digest": digest });
	if (part === undefined && reply.request.method === "GET") reply.header("content-digest", digest);
	if (part === undefined) return;
	reply.code(206);
	reply.header("content-range", `bytes ${part.offsetBytes}-${part.endBytes - 1}/${release.size_bytes}`);
}
