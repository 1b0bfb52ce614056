// What a line in the event log or the security log is. Types without `upload_`, `device_` and `auth_` are those of
// the old server (requirement of its dashboards); logs are for people, decisions never read them.

export type LogName = "fota" | "security";

export const FOTA_EVENT_TYPES = [
	"firmware_uploaded",
	"firmware_decoded",
	"firmware_hash_verified",
	"chunking_started",
	"chunk_received",
	"firmware_verified",
	"verification_failed",
	"firmware_applied",
	"boot_status",
	"boot_successful",
	"boot_failed",
	"rollback_ordered",
	"rollback_voided",
	"rollback_triggered",
	"fota_completed",
	"update_failed",
	"upload_refused",
	"release_reissued",
	"release_deactivated",
	"release_activated",
	"release_changed",
	"device_registered",
	"log_lines_removed",
	"updates_removed",
	"update_history_full",
	"device_decommissioned",
	"device_reinstated",
	"rollout_started",
	"rollout_wave_opened",
	"rollout_paused",
	"rollout_resumed",
	"rollout_stopped",
	"rollout_aborted",
	"rollout_completed",
	"webhook_deactivated",
] as const;

export const SECURITY_EVENT_TYPES = [
	"auth_failed",
	"admin_auth_failed",
	"access_denied",
	"login_failed",
	"login_locked",
	"refresh_token_reused",
	"log_lines_removed",
	"nonce_replayed",
	"device_type_mismatch",
	"device_key_replaced",
	"release_key_added",
	"upload_refused",
	"device_security_event",
	"legacy_contact",
	"rollback_ordered",
	"rollback_triggered",
] as const;

export type EventDetails = Readonly<Record<string, string | number | boolean | undefined>>;

interface EventOf<L extends LogName, T extends string> {
	readonly log: L;
	readonly type: T;
	readonly deviceId?: string | undefined;
	readonly details: EventDetails;
}

export type FotaEvent = EventOf<"fota", (typeof FOTA_EVENT_TYPES)[number]>;
export type SecurityEvent = EventOf<"security", (typeof SECURITY_EVENT_TYPES)[number]>;
export type LogEvent = FotaEvent | SecurityEvent;

const INFO_TYPES: readonly LogEvent["type"][] = [
	"log_lines_removed",
	"updates_removed",
	"firmware_applied",
	"fota_completed",
	"rollback_ordered",
	"rollback_voided",
	"release_deactivated",
	"release_activated",
	"release_changed",
	"release_key_added",
	"device_registered",
	"device_decommissioned",
	"device_reinstated",
	"rollout_started",
	"rollout_wave_opened",
	"rollout_paused",
	"rollout_resumed",
	"rollout_aborted",
	"rollout_completed",
];
const WARN_TYPES: readonly LogEvent["type"][] = [
	"verification_failed",
	"boot_failed",
	"rollback_triggered",
	"update_failed",
	"update_history_full",
	"upload_refused",
	"rollout_stopped",
	"webhook_deactivated",
];

/** How loud an event is in the server's own output; undefined for the small steps of every update. */
export function logLevelOf(event: LogEvent): "info" | "warn" | undefined {
	if (INFO_TYPES.includes(event.type)) return "info";
	return event.log === "security" || WARN_TYPES.includes(event.type) ? "warn" : undefined;
}
