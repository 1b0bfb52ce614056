// Reads what `xs-fota-sim run --capture FILE` recorded: per connection, what the application wrote and what it read
// (docs/simulator.md). Called by http-exchanges and by tests. It must not know what was said: HTTP is the next file's.

const HEAD_BYTES = 9;
/** Largest file that is taken, in bytes: some hundred updates of the largest image lie below it. */
const CAPTURE_MAX_BYTES = 512 * 1024 * 1024;
/** Largest record, in bytes: the application can read one receive window at once, and --tcp-window is at most this. */
const RECORD_MAX_BYTES = 1024 * 1024;

/** What was written, or read, in one call. */
export interface CapturedPiece {
	/** Number of its record in the file, from 0: puts pieces of several connections in order. */
	readonly order: number;
	readonly direction: "sent" | "read";
	/** At least one; a view of the bytes that were parsed, not a copy. */
	readonly bytes: Uint8Array;
}

export interface CapturedConnection {
	/** Counted from 1 over all boots. */
	readonly number: number;
	/** In the order in which the application wrote and read. */
	readonly pieces: readonly CapturedPiece[];
	/** False: a reset of the chip or the end of the run ended it. */
	readonly isClosed: boolean;
}

interface Open extends CapturedConnection {
	readonly pieces: CapturedPiece[];
	isClosed: boolean;
}

/**
 * The connections in the order they were opened. A last record cut short is left out: the simulator was killed while it
 * wrote. Anything else that does not fit throws RangeError with the offset.
 */
export function parseWireCapture(bytes: Uint8Array): CapturedConnection[] {
	if (bytes.length > CAPTURE_MAX_BYTES)
		throw new RangeError(`a capture has at most ${CAPTURE_MAX_BYTES} bytes`);
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const connections: Open[] = [];
	let offset = 0;
	for (let order = 0; offset + HEAD_BYTES <= bytes.length; order++) {
		const kind = String.fromCharCode(view.getUint8(offset));
		const number = view.getUint32(offset + 1);
		const length = view.getUint32(offset + 5);
		const problem = findProblem(connections, { kind, number, length });
		if (problem) throw new RangeError(`capture, offset ${offset}: ${problem}`);
		const start = offset + HEAD_BYTES;
		if (start + length > bytes.length) break;
		note(connections, { kind, number, order, bytes: bytes.subarray(start, start + length) });
		offset = start + length;
	}
	return connections;
}

function findProblem(
	connections: readonly Open[],
	{ kind, number, length }: { readonly kind: string; readonly number: number; readonly length: number },
): string | undefined {
	if (!"o><c".includes(kind)) return `there is no kind ${JSON.stringify(kind)}`;
	const isPiece = kind === ">" || kind === "<";
	if (isPiece ? length === 0 || length > RECORD_MAX_BYTES : length !== 0)
		return `a record of kind "${kind}" cannot have ${length} bytes`;
	if (kind === "o")
		return number === connections.length + 1 ? undefined : `connection ${number} is opened out of turn`;
	const connection = connections[number - 1];
	if (!connection) return `connection ${number} was never opened`;
	return connection.isClosed ? `connection ${number} is closed already` : undefined;
}

function note(
	connections: Open[],
	record: {
		readonly kind: string;
		readonly number: number;
		readonly order: number;
		readonly bytes: Uint8Array;
	},
): void {
	const { kind, number, order, bytes } = record;
	const connection = connections[number - 1];
	if (!connection) connections.push({ number, pieces: [], isClosed: false });
	else if (kind === "c") connection.isClosed = true;
	else connection.pieces.push({ order, direction: kind === ">" ? "sent" : "read", bytes });
}
