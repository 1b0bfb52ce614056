// Writes captures as the simulator does (docs/simulator.md), for the tests beside it. It knows nothing of HTTP.

export interface RecordOf {
	readonly kind: string;
	readonly connection: number;
	readonly bytes?: Uint8Array | string;
}

export function encodeRecord({ kind, connection, bytes = "" }: RecordOf): Buffer {
	const data = Buffer.from(bytes as string, "latin1");
	const head = Buffer.alloc(9);
	head.write(kind, "latin1");
	head.writeUInt32BE(connection, 1);
	head.writeUInt32BE(data.length, 5);
	return Buffer.concat([head, data]);
}

export function encodeCapture(records: readonly RecordOf[]): Buffer {
	return Buffer.concat(records.map(encodeRecord));
}
