// Operators of a server under test: users that are logged in and tokens, made through the server's own interface.
import type { LightMyRequestResponse } from "fastify";
import type { Role } from "../../server/domain/role.js";
import type { ServerRig } from "./server-rig.js";

export const PASSWORD = "a password of the tests";

export interface Call {
	readonly method?: "GET" | "POST" | "PATCH" | "DELETE" | "PUT";
	readonly payload?: object | string | undefined;
	readonly headers?: Readonly<Record<string, string>>;
}

export function callAs(
	rig: ServerRig,
	token: string | undefined,
	url: string,
	call: Call = {},
): Promise<LightMyRequestResponse> {
	return rig.server.inject({
		method: call.method ?? "GET",
		url,
		headers: { ...(token && { authorization: `Bearer ${token}` }), ...call.headers },
		...(call.payload && { payload: call.payload }),
	});
}

export function logIn(rig: ServerRig, name: string, password = PASSWORD): Promise<LightMyRequestResponse> {
	return callAs(rig, undefined, "/api/auth/login", { method: "POST", payload: { name, password } });
}

/** With the password of the tests; returns what the log-in gave. */
export async function makeUser(rig: ServerRig, name: string, role: Role) {
	const { one_time_password: oneTime } = (await rig.post("/api/users", { name, role })).json();
	const { access_token: first } = (await logIn(rig, name, oneTime)).json();
	await callAs(rig, first, "/api/auth/password", {
		method: "POST",
		payload: { current_password: oneTime, new_password: PASSWORD },
	});
	return (await logIn(rig, name)).json() as { access_token: string; refresh_token: string };
}

export async function makeToken(rig: ServerRig, name: string, role: Role, days = 1): Promise<string> {
	const answer = await rig.post("/api/tokens", { name, role, expires_in_days: days });
	return answer.json().token;
}
