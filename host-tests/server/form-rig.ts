// Forms as bytes, right and wrong ones, for tests of the multipart upload.

export interface FormPart {
	readonly name: string;
	readonly value: string | Uint8Array;
	/** Makes it a file. */
	readonly fileName?: string;
}

export const BOUNDARY = "form-of-the-tests";
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

export function formOf(parts: readonly FormPart[]): Buffer {
	const pieces = parts.flatMap(({ name, value, fileName }) => [
		Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"`),
		Buffer.from(
			fileName === undefined ? "" : `; filename="${fileName}"\r\ncontent-type: application/octet-stream`,
		),
		Buffer.from("\r\n\r\n"),
		Buffer.from(value),
		Buffer.from("\r\n"),
	]);
	return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

export function fieldsOf(record: Readonly<Record<string, string>>): FormPart[] {
	return Object.entries(record).map(([name, value]) => ({ name, value }));
}

export function fileOf(bytes: Uint8Array, name = "file"): FormPart {
	return { name, value: bytes, fileName: "firmware.bin" };
}
