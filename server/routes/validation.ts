// Checks what a request brings against the TypeBox schema beside its route. Nothing is converted but whole numbers and
// booleans in queries, paths and forms, which have no other way to say them. Whatever a schema says of a text, none gets
// through that no database can keep.
import { Readable } from "node:stream";
import type { FastifySchemaCompiler, FastifyTypeProvider } from "fastify";
import type { Static, TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { Settings } from "typebox/system";
import { FotaError } from "../../src/protocol/error-codes.js";

export interface TypeBoxProvider extends FastifyTypeProvider {
	validator: this["schema"] extends TSchema ? Static<this["schema"]> : unknown;
	serializer: this["schema"] extends TSchema ? Static<this["schema"]> : unknown;
}

/** What is wrong where {@link hasStorableTexts} says no. */
export const UNSTORABLE = "has a text with a character that cannot be stored";
/** A surrogate is matched where it has no other half. */
const UNSTORABLE_CHARACTER = /[\0\p{Surrogate}]/u;
/** The name of a field that is not known is the sender's. */
const PATH_SHOWN_CHARS = 100;
const LIST_SHOWN_CHARS = 120;
const WHOLE_NUMBER = /^(0|[1-9][0-9]{0,15})$/;

/** By schema: all servers of a process have the same, and to compile them is a third of a start (tests start hundreds). */
const validators = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
	const known = validators.get(schema);
	if (known !== undefined) return known;
	const validator = Compile(schema) as Validator;
	validators.set(schema, validator);
	return validator;
}

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
	const validator = validatorOf(schema);
	const isText = httpPart === "querystring" || httpPart === "params";
	return (input: unknown) => {
		const part = httpPart ?? "request";
		const value = isText ? withTypes(schema, input) : input;
		if (!hasStorableTexts(value))
			return { error: new FotaError("request-malformed", `${part} ${UNSTORABLE}`) };
		if (validator.Check(value)) return { value };
		return { error: new FotaError("request-malformed", `${part}${faultOf(validator.Errors(value))}`) };
	};
};

// Enough for all values of the longest list of them; eight is what it comes with.
Settings.Set({ maxErrors: 64 });

type ValidationError = ReturnType<Validator["Errors"]>[number];

/** Where and what is wrong, but not the value: it may be long, hostile, or a secret. */
function faultOf(allErrors: readonly ValidationError[]): string {
	const errors = ofMeant(allErrors);
	const [first] = errors;
	if (first === undefined) return " is not valid";
	const where = first.instancePath.slice(0, PATH_SHOWN_CHARS);
	if (first.keyword === "boolean") return `${where} is not known here`;
	if (first.keyword === "enum") return `${where} must be one of ${listed(first.params.allowedValues)}`;
	if (first.keyword !== "const") return `${where} ${first.message}`;
	const allowed = errors.flatMap((error) =>
		error.keyword === "const" && error.instancePath === first.instancePath ? [error.params.allowedValue] : [],
	);
	return `${where} must be ${allowed.length > 1 ? "one of " : ""}${listed(allowed)}`;
}

/** As many as fit. */
function listed(values: readonly unknown[]): string {
	const text = values.join(", ");
	if (text.length <= LIST_SHOWN_CHARS) return text;
	return `${text.slice(0, text.lastIndexOf(", ", LIST_SHOWN_CHARS))} and others, see /docs`;
}

/** Up to the alternatives of the outermost union. */
const UNION = /^(.*?)\/anyOf\/\d+/;

/**
 * Where the alternatives of a union are told apart by a constant (`kind`): what is wrong with the one that was meant, or which
 * constants there are. Else all.
 */
function ofMeant(errors: readonly ValidationError[]): readonly ValidationError[] {
	const union = UNION.exec(errors[0]?.schemaPath ?? "")?.[1];
	const whole = errors.find(({ keyword, schemaPath }) => keyword === "anyOf" && schemaPath === union);
	if (union === undefined || whole === undefined) return errors;
	const start = `${union}/anyOf/`;
	const within = errors.filter(({ schemaPath }) => schemaPath.startsWith(start));
	const alternativeOf = ({ schemaPath }: ValidationError) => schemaPath.slice(start.length).split("/")[0];
	const constants = within.filter(
		({ keyword, instancePath }) => keyword === "const" && instancePath !== whole.instancePath,
	);
	if (constants.length === 0) return errors;
	const others = new Set(constants.map(alternativeOf));
	const meant = within.filter((error) => !others.has(alternativeOf(error)));
	return meant.length > 0 ? meant : constants;
}

/** The same fields, with texts as the whole numbers and booleans that the schema wants. */
export function withTypes(schema: TSchema, input: unknown): unknown {
	const { properties } = schema as { properties?: Record<string, { readonly type?: string }> };
	if (typeof input !== "object" || input === null || properties === undefined) return input;
	const value: Record<string, unknown> = { ...input };
	for (const [name, property] of Object.entries(properties)) {
		const given = value[name];
		if (property.type === "integer" && typeof given === "string" && WHOLE_NUMBER.test(given))
			value[name] = Number(given);
		if (property.type === "boolean" && (given === "true" || given === "false"))
			value[name] = given === "true";
	}
	return value;
}

/**
 * False where a text anywhere in `input`, or the name of a field, holds what no database keeps as it is: NUL, which
 * PostgreSQL refuses, and halves of surrogate pairs, which become another character on the way to it (and would make the
 * audit log's lines differ from what was hashed). Bytes and streams are no texts.
 */
export function hasStorableTexts(input: unknown): boolean {
	// Not by recursion: the nesting is the sender's.
	const left: unknown[] = [input];
	while (left.length > 0) {
		const value = left.pop();
		if (typeof value === "string") {
			if (UNSTORABLE_CHARACTER.test(value)) return false;
		} else if (Array.isArray(value)) {
			for (const item of value) left.push(item);
		} else if (typeof value === "object" && value !== null && !isRaw(value)) {
			for (const [name, item] of Object.entries(value)) left.push(name, item);
		}
	}
	return true;
}

function isRaw(value: object): boolean {
	return value instanceof Uint8Array || value instanceof Readable;
}
