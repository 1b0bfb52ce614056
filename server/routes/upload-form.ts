// An upload as multipart/form-data: the fields first, then one file, read as it comes. Called by ota-upload-routes.ts.
// It must not know releases beyond the names of their fields.
import type { Multipart, MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Upload } from "../stores/publish-release.js";
import { CLAIMS, fieldsOf, ReleaseSchema, TERMS } from "./publishing.js";
import { hasStorableTexts, UNSTORABLE, withTypes } from "./validation.js";

const FormSchema = Type.Object(
	{ ...TERMS, ...CLAIMS, release: ReleaseSchema },
	{ additionalProperties: false },
);
const form = Compile(FormSchema);
/** For the document: the fields, then the file. */
export const FormBody = Type.Object({
	...FormSchema.properties,
	file: Type.String({ contentMediaType: "application/octet-stream", description: "The image, last" }),
});

/** Notes of 4,000 characters, four bytes each. */
const FIELD_MAX_BYTES = 16_384;
/** The fields, and what a form has around them. */
const FORM_OVERHEAD_BYTES = 131_072;
const FIELDS_MAX = Object.keys(FormSchema.properties).length + 1;

/** For the plugin. Two files, so that the second one is seen and refused by name. */
export function formLimits(maxUploadBytes: number) {
	return {
		fieldNameSize: 64,
		fieldSize: FIELD_MAX_BYTES,
		fields: FIELDS_MAX,
		// One more than is taken: whoever counts the bytes says what is wrong.
		fileSize: maxUploadBytes + 1,
		files: 2,
		parts: FIELDS_MAX + 2,
		headerPairs: 16,
		headerSize: 4096,
	};
}

/**
 * Reads the fields up to the file; `image` goes on from there, and ends with an error where anything follows the file:
 * nothing is published before the form is complete. Throws `request-malformed`, `upload-too-large`.
 */
export async function readUploadForm(request: FastifyRequest, maxUploadBytes: number): Promise<Upload> {
	const parts = readParts(request, maxUploadBytes + FORM_OVERHEAD_BYTES);
	const texts: Record<string, string> = Object.create(null);
	for (;;) {
		const part = await parts.next();
		if (part === undefined) throw new FotaError("request-malformed", "the form has no file");
		if (part.type === "file") {
			try {
				const fields = checkFields(texts);
				return { ...fieldsOf(fields), release: fields.release, image: imageOf(part, parts) };
			} catch (error) {
				part.file.destroy();
				throw error;
			}
		}
		addField(texts, part);
	}
}

interface Parts {
	/** Undefined at the end of the form. */
	next(): Promise<Multipart | undefined>;
	/** Fails once the body is longer than it may be. */
	readonly overflow: Promise<never>;
}

function readParts(request: FastifyRequest, maxBytes: number): Parts {
	const iterator = request.parts();
	const overflow = overflowOf(request, maxBytes);
	return {
		overflow,
		next: () =>
			asMalformed(async () => {
				const { done, value } = await Promise.race([iterator.next(), overflow]);
				return done === true ? undefined : value;
			}),
	};
}

// Threat: a body without an end outside of all parts (before the first one, in headers), which no limit of a part meets.
function overflowOf(request: FastifyRequest, maxBytes: number): Promise<never> {
	let sizeBytes = 0;
	const overflow = new Promise<never>((_resolve, reject) => {
		request.raw.on("data", (piece: Buffer) => {
			sizeBytes += piece.length;
			if (sizeBytes > maxBytes) reject(new FotaError("upload-too-large", "the form is too large"));
		});
	});
	// It may come when nobody waits any more.
	overflow.catch(() => {});
	return overflow;
}

function addField(texts: Record<string, string>, part: Exclude<Multipart, MultipartFile>): void {
	const { fieldname: name, value } = part;
	if (part.fieldnameTruncated || part.valueTruncated)
		throw new FotaError("request-malformed", "a field of the form is too long");
	if (typeof value !== "string") throw new FotaError("request-malformed", "a field of the form is no text");
	if (texts[name] !== undefined) throw new FotaError("request-malformed", "a field of the form comes twice");
	// What a form brings from a text area has the line ends of mail (HTML, "constructing the entry list").
	texts[name] = value.replaceAll("\r\n", "\n");
}

function checkFields(texts: Record<string, string>): Static<typeof FormSchema> {
	if (texts.release === undefined)
		throw new FotaError(
			"request-malformed",
			"the release statement (field release) must come before the file",
		);
	if (!hasStorableTexts(texts)) throw new FotaError("request-malformed", `the form ${UNSTORABLE}`);
	const fields = withTypes(FormSchema, { ...texts });
	if (form.Check(fields)) return fields;
	const [first] = form.Errors(fields);
	throw new FotaError(
		"request-malformed",
		`form${first?.instancePath ?? ""} ${first?.message ?? "is not valid"}`,
	);
}

async function* imageOf(part: MultipartFile, parts: Parts): AsyncGenerator<Uint8Array> {
	const pieces = part.file[Symbol.asyncIterator]();
	try {
		for (;;) {
			const { done, value } = await asMalformed(() => Promise.race([pieces.next(), parts.overflow]));
			if (done === true) break;
			yield value as Uint8Array;
		}
		const next = await parts.next();
		if (next?.type === "file") next.file.destroy();
		if (next !== undefined)
			throw new FotaError(
				"request-malformed",
				next.type === "file" ? "the form has more than one file" : "fields must come before the file",
			);
	} finally {
		// Also where the image is given up half-way (too large, disk full): what is still to come is not kept.
		part.file.destroy();
	}
}

// Whatever the parser finds wrong is wrong with the form.
async function asMalformed<T>(read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (cause) {
		if (cause instanceof FotaError) throw cause;
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new FotaError("request-malformed", `the form cannot be read: ${reason}`, { cause });
	}
}
