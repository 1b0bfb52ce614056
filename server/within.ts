// A promise with a limit on its time. Used where somebody asks who must get an answer soon.
import { FotaError } from "../src/protocol/error-codes.js";

/** Throws `server-unavailable` when it takes longer; what it does then goes on, unheard. */
export async function within<T>(timeoutMs: number, task: Promise<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(new FotaError("server-unavailable", "no answer in time")), timeoutMs);
	});
	try {
		return await Promise.race([task, late]);
	} finally {
		clearTimeout(timer);
	}
}
