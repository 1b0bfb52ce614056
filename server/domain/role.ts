// Who may do what: the three roles of operators, each of which may do all that the ones before it may. Pure; every
// operator route names the role it asks for in its `config` (routes/admin-scope.ts holds it to that).

export const ROLES = ["viewer", "operator", "admin"] as const;

/**
 * viewer reads; operator also publishes and withdraws releases, orders rollbacks, sorts devices and runs rollouts; admin
 * also has users, tokens, release keys, registration and keys of devices, webhooks and the audit log.
 */
export type Role = (typeof ROLES)[number];

export function isAllowed(role: Role, needed: Role): boolean {
	return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
