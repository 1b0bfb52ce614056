/*
 * Names to addresses by lwip's resolver, asked and then looked at again and again: nothing
 * here calls back or waits. Called by polled-names. It must not know what a name is for.
 *
 * Not over Moddable's `net`: it calls lwip's resolver, which is lwip's task's alone, from
 * JavaScript's (docs/design.md, Network).
 */
export class FotaNames {
	/**
	 * Asks for the IPv4 address of `name` and gives the question's handle, at least 1. 0: it cannot be asked now, since four
	 * are being asked or there is no interface yet. Throws RangeError for more than 253 bytes.
	 */
	ask(name: string): number {
		return native("xs_fota_names_ask").call(this, name);
	}

	/**
	 * The address in digits, "" if there is none, undefined while nobody knows. Each question has to be asked for its answer
	 * until there is one, which comes within half a minute; then its handle names nothing any more ("").
	 */
	answer(handle: number): string | undefined {
		return native("xs_fota_names_answer").call(this, handle);
	}
}
