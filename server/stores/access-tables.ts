// The tables of users, tokens and the audit log as Kysely sees them, part of tables.ts: as there, times are Unix
// milliseconds and booleans 0 and 1.
import type { Generated } from "kysely";
import type { AuditLine } from "../domain/audit-chain.js";
import type { Role } from "../domain/role.js";

export interface UserTable {
	id: Generated<number>;
	name: string;
	/** With its parameters (auth/passwords.ts). */
	password_hash: string;
	role: Role;
	is_active: number;
	/** 1: nothing but a change of the password is allowed. */
	must_change_password: number;
	created_at_ms: number;
	updated_at_ms: number;
	last_login_at_ms: number | null;
}

/** One log-in; its refresh tokens follow each other (auth/sessions.ts). */
export interface SessionTable {
	/** Random, hex. */
	id: string;
	user_id: number;
	/** SHA-256 of the refresh token that is good now, hex. */
	token_hash: string;
	created_at_ms: number;
	expires_at_ms: number;
	revoked_at_ms: number | null;
}

export interface ApiTokenTable {
	id: Generated<number>;
	name: string;
	/** SHA-256 of the token, hex. */
	token_hash: string;
	role: Role;
	/** As in the audit log. */
	created_by: string;
	created_at_ms: number;
	expires_at_ms: number;
	last_used_at_ms: number | null;
}

/** Log-in attempts by name and by address within a window. */
export interface LoginAttemptTable {
	/** name:NAME or address:ADDRESS. */
	key: string;
	attempt_count: number;
	window_started_at_ms: number;
}

export interface AuditLogTable extends AuditLine {
	readonly hash: string;
}

/** Single values that all servers on the database share. */
export interface ServerFactTable {
	name: string;
	value: string;
}
