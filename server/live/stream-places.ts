// How many streams this process holds open, all together and for one user or token. Kept in memory: a stream belongs to
// the process it is connected to.
import { FotaError } from "../../src/protocol/error-codes.js";

export const STREAMS_MAX = 200;
export const STREAMS_PER_ACTOR_MAX = 10;

export interface StreamPlaces {
	/** Returns what gives the place back, idempotent. Throws `rate-limited`, or `server-unavailable` when all are taken. */
	take(actor: string): () => void;
}

export function createStreamPlaces(): StreamPlaces {
	const countOf = new Map<string, number>();
	let total = 0;
	return {
		take(actor) {
			const count = countOf.get(actor) ?? 0;
			if (count >= STREAMS_PER_ACTOR_MAX)
				throw new FotaError("rate-limited", `${STREAMS_PER_ACTOR_MAX} event streams are open already`);
			if (total >= STREAMS_MAX) throw new FotaError("server-unavailable", "too many event streams are open");
			countOf.set(actor, count + 1);
			total++;
			let isTaken = true;
			return () => {
				if (!isTaken) return;
				isTaken = false;
				total--;
				const left = (countOf.get(actor) ?? 1) - 1;
				if (left === 0) countOf.delete(actor);
				else countOf.set(actor, left);
			};
		},
	};
}
