// The short-lived tokens that a user's program shows with each request: JWT, HS256, signed with the JWT secret. Who the
// user is and may do is read from the database each time (operator-authenticator.ts), so nothing but the session is in it.
import { errors, jwtVerify, SignJWT } from "jose";

export const ACCESS_TOKEN_S = 600;
const ISSUER = "xs-fota";
/** RFC 9068 §2.1: no other kind of JWT under this key passes for one. */
const TYPE = "at+jwt";

export interface AccessTokenTools {
	readonly jwtSecret: Uint8Array;
	readonly nowMs: () => number;
}

export async function signAccessToken(tools: AccessTokenTools, sessionId: string): Promise<string> {
	const nowS = Math.floor(tools.nowMs() / 1000);
	return new SignJWT({ sid: sessionId })
		.setProtectedHeader({ alg: "HS256", typ: TYPE })
		.setIssuer(ISSUER)
		.setIssuedAt(nowS)
		.setExpirationTime(nowS + ACCESS_TOKEN_S)
		.sign(tools.jwtSecret);
}

/** The session a token is of; undefined when it is not ours, over, or none at all. */
export async function readAccessToken(tools: AccessTokenTools, token: string): Promise<string | undefined> {
	try {
		const { payload } = await jwtVerify(token, tools.jwtSecret, {
			algorithms: ["HS256"],
			issuer: ISSUER,
			typ: TYPE,
			requiredClaims: ["exp", "sid"],
			currentDate: new Date(tools.nowMs()),
		});
		return typeof payload.sid === "string" ? payload.sid : undefined;
	} catch (error) {
		if (error instanceof errors.JOSEError) return undefined;
		throw error;
	}
}
