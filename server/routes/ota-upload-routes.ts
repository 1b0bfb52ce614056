// System B's two ways to publish a release: a form (multipart/form-data), streamed to the image store, and the JSON of
// system A's upload. Both end in the same publishRelease() as upload-route.ts.
import multipart from "@fastify/multipart";
import { Type } from "typebox";
import type { Server, Services } from "../services.js";
import type { Published } from "../stores/publish-release.js";
import { describe } from "./operation.js";
import {
	JsonUploadBody,
	jsonBodyLimit,
	jsonUpload,
	OutcomeSchema,
	PUBLISH_ERRORS,
	publish,
} from "./publishing.js";
import { ReleaseAnswer, releaseAnswer } from "./release-answer.js";
import { FormBody, formLimits, readUploadForm } from "./upload-form.js";

const Answer = Type.Object({ outcome: OutcomeSchema, firmware: ReleaseAnswer });
const FROM_JSON = describe({
	tag: "Releases",
	summary: "Publish a release, the image in base64",
	body: JsonUploadBody,
	answers: { 200: Answer, 201: Answer },
	errors: PUBLISH_ERRORS,
});
const FROM_FORM = describe({
	tag: "Releases",
	summary: "Publish a release from a form",
	description: "All fields come before the file. Answered with 200 where the release was there already.",
	rawBody: { "multipart/form-data": FormBody },
	answers: { 200: Answer, 201: Answer },
	errors: PUBLISH_ERRORS,
});

export async function registerOtaUploadRoutes(server: Server, services: Services): Promise<void> {
	const { maxUploadBytes } = services;
	const config = { role: "operator" } as const;
	const answerOf = ({ release, outcome }: Published) => ({
		outcome,
		firmware: releaseAnswer(services, release),
	});
	server.post(
		"/api/ota/admin/firmware",
		{ config, schema: FROM_JSON, bodyLimit: jsonBodyLimit(services) },
		async (request, reply) => {
			const published = await publish(services, request, () => jsonUpload(services, request.body));
			return reply.code(published.outcome === "created" ? 201 : 200).send(answerOf(published));
		},
	);
	// In a scope of its own: no other route takes forms.
	await server.register(async (child) => {
		const scope = child as Server;
		scope.removeAllContentTypeParsers();
		await scope.register(multipart, { limits: formLimits(maxUploadBytes), throwFileSizeLimit: false });
		scope.post("/api/ota/admin/upload", { config, schema: FROM_FORM }, async (request, reply) => {
			try {
				const published = await publish(services, request, () => readUploadForm(request, maxUploadBytes));
				return await reply.code(published.outcome === "created" ? 201 : 200).send(answerOf(published));
			} catch (error) {
				// What is left of the body is not read, so nothing else can follow on this connection.
				if (!request.raw.complete) reply.header("connection", "close");
				throw error;
			}
		});
	});
}
