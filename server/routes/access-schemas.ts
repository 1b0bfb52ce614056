// Schemas of users and tokens, shared by the routes that tell of them.
import { Type } from "typebox";
import { PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS } from "../auth/passwords.js";
import { TimeAnswer } from "./time.js";

/** Lower case only, so that no two users differ in it alone. */
export const UserNameSchema = Type.String({
	pattern: "^[a-z0-9][a-z0-9._-]{0,31}$",
	description: "Lower-case letters, digits, dot, underscore and hyphen, at most 32",
});
export const RoleSchema = Type.Union(
	[Type.Literal("viewer"), Type.Literal("operator"), Type.Literal("admin")],
	{
		description: "viewer reads; operator also publishes and rolls out; admin also has users, keys and tokens",
	},
);
/** As typed: whether it is long enough is said only where one is chosen. */
export const PasswordSchema = Type.String({ minLength: 1, maxLength: PASSWORD_MAX_CHARS });
export const NewPasswordSchema = Type.String({
	minLength: PASSWORD_MIN_CHARS,
	maxLength: PASSWORD_MAX_CHARS,
});

export const SessionAnswer = Type.Object({
	access_token: Type.String({ description: "JWT, for the header Authorization: Bearer …" }),
	token_type: Type.Literal("Bearer"),
	expires_in: Type.Integer({ description: "Seconds until the access token is over" }),
	refresh_token: Type.String({ description: "Good once, for POST /api/auth/refresh" }),
	session_expires_at: TimeAnswer,
	must_change_password: Type.Boolean({
		description: "True: nothing but POST /api/auth/password is allowed yet",
	}),
});

export const UserAnswer = Type.Object({
	name: Type.String(),
	role: RoleSchema,
	is_active: Type.Boolean(),
	must_change_password: Type.Boolean(),
	created_at: TimeAnswer,
	updated_at: TimeAnswer,
	last_login_at: Type.Union([TimeAnswer, Type.Null()]),
});

export const TokenAnswer = Type.Object({
	id: Type.Integer(),
	name: Type.String(),
	role: RoleSchema,
	created_by: Type.String(),
	created_at: TimeAnswer,
	expires_at: TimeAnswer,
	last_used_at: Type.Union([TimeAnswer, Type.Null()]),
});
