// Takes the nonces of requests that come together in one transaction. SQLite waits for the disk at each commit, and the whole
// process with it: on a disk that takes 5 ms, one commit a request ends at 200 requests a second. Made by app.ts, asked by the
// device authenticator.
import { turn } from "../turn.js";
import { kindOf } from "./database.js";
import { type TakenNonce, takeNonce } from "./device-store.js";
import type { Records } from "./tables.js";

/** False where the nonce is not above all before. Fails with the database's error; then the nonce is not taken. */
export type NonceTaker = (taken: TakenNonce) => Promise<boolean>;

interface Waiting {
	readonly taken: TakenNonce;
	readonly resolve: (isTaken: boolean) => void;
	readonly reject: (error: unknown) => void;
}

/** PostgreSQL joins the commits of its connections itself, and there a transaction over many devices could meet a deadlock. */
export function createNonceTaker(db: Records): NonceTaker {
	return kindOf(db) === "postgres" ? (taken) => takeNonce(db, taken) : createNonceQueue(db);
}

function createNonceQueue(db: Records): NonceTaker {
	let waiting: Waiting[] = [];
	let isWorking = false;

	const takeAll = async () => {
		while (waiting.length > 0) {
			const together = waiting;
			waiting = [];
			await takeTogether(db, together);
			// What came while the disk was waited for lies in the sockets; one turn of the event loop reads it all.
			await turn();
		}
		isWorking = false;
	};
	return (taken) =>
		new Promise((resolve, reject) => {
			waiting.push({ taken, resolve, reject });
			if (isWorking) return;
			isWorking = true;
			void turn().then(takeAll);
		});
}

/** Never fails. */
async function takeTogether(db: Records, together: readonly Waiting[]): Promise<void> {
	try {
		const isTaken = await takeNonces(
			db,
			together.map(({ taken }) => taken),
		);
		// Not before the commit: an answer says that the nonce is used up, whatever happens to this machine.
		together.forEach(({ resolve }, at) => void resolve(isTaken[at] === true));
	} catch (error) {
		for (const { reject } of together) reject(error);
	}
}

async function takeNonces(db: Records, together: readonly TakenNonce[]): Promise<boolean[]> {
	const [only] = together;
	if (only !== undefined && together.length === 1) return [await takeNonce(db, only)];
	return db.transaction().execute(async (transaction) => {
		const isTaken: boolean[] = [];
		for (const taken of together) isTaken.push(await takeNonce(transaction, taken));
		return isTaken;
	});
}
