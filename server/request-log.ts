// What is logged about single requests: one line each at debug, because a fleet asks all the time; what went wrong in
// the server itself stays at warn and error. Handed to Fastify by http-server.ts. What a request means for a device is
// logged where it is known (announce.ts).
import { type FastifyReply, type FastifyRequest, LogController } from "fastify";

export class RequestLog extends LogController {
	override incomingRequest(): void {}

	override requestCompleted(
		error: Error | null | undefined,
		request: FastifyRequest,
		reply: FastifyReply,
	): void {
		const fields = {
			method: request.method,
			url: request.url,
			status: reply.statusCode,
			device: request.caller?.device.device_id,
			address: request.ip,
			ms: Math.round(reply.elapsedTime),
			// Of the connection: the client went away before it had the answer.
			error: error?.message,
		};
		request.log.debug(fields, "request");
	}

	override streamError(error: NodeJS.ErrnoException, request: FastifyRequest, reply: FastifyReply): void {
		if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") super.streamError(error, request, reply);
	}
}
