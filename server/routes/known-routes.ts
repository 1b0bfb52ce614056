// 404 and 405 told apart: remembers which paths there are and with which methods.
import type { FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { sendProblem } from "./problems.js";

export interface KnownRoutes {
	/** For Fastify's onRoute hook. */
	add(route: Pick<RouteOptions, "url" | "method">): void;
	/** For Fastify's not-found handler. */
	refuse(request: FastifyRequest, reply: FastifyReply): FastifyReply;
}

export function createKnownRoutes(): KnownRoutes {
	const methodsOfPattern = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
	return {
		add({ url, method }) {
			// Of every path: the preflight of other sites' pages.
			if (url === "*") return;
			const known = methodsOfPattern.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
			for (const name of [method].flat()) known.methods.add(name);
			methodsOfPattern.set(url, known);
		},
		refuse(request, reply) {
			const [path = ""] = request.url.split("?", 1);
			for (const { pattern, methods } of methodsOfPattern.values()) {
				if (!pattern.test(path)) continue;
				reply.header("allow", [...methods].sort().join(", "));
				return sendProblem(reply, { status: 405, code: "request-malformed", detail: "method not allowed" });
			}
			return sendProblem(reply, { status: 404, code: "not-found", detail: "no such path" });
		},
	};
}

function patternOf(url: string): RegExp {
	return new RegExp(
		`^${url
			.replaceAll(/[.]/g, "\\.")
			.replaceAll(/:[a-z_]+/g, "[^/]+")
			.replaceAll("*", ".*")}$`,
	);
}
