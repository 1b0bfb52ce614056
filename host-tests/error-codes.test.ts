// Every error code is raised by the product and provoked by a test: what nothing raises is a promise to operators that
// nobody keeps, what no test provokes may never have worked. Sources are read as syntax, so a code in a comment, in a
// fake's script or in a list of codes counts for nothing.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../src/protocol/error-codes.js";

const ROOT = join(import.meta.dirname, "..");
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

/** Here codes are data that goes in and comes out again: nothing is provoked. */
const DATA_ONLY = [
	"host-tests/error-codes.test.ts",
	"host-tests/protocol/",
	"host-tests/server/domain/",
	"host-tests/server/report.test.ts",
	"host-tests/cli/",
	"host-tests/update/machine.test.ts",
	"host-tests/update/persistent-state.test.ts",
];
/** They compare, or wait for a line or an event that says the code. */
const EXPECTING_CALLS = ["expectEqual", "waitForLine", "waitForEvent", "expectRefusal", "expectRollback"];
/** `expect(…).toBe(false)` and its like say that something did not happen. */
const NEGATIVE_ARGUMENTS = ["[]", "false", "0", "undefined"];

function sourcesIn(folder: string, isWanted: (name: string) => boolean): ts.SourceFile[] {
	return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
		.map((name) => join(folder, name))
		.filter((name) => name.endsWith(".ts") && isWanted(name))
		.map((name) =>
			ts.createSourceFile(name, readFileSync(join(ROOT, name), "utf8"), ts.ScriptTarget.Latest, true),
		);
}

/** Codes that stand as whole words in a literal. */
function codesIn(node: ts.Node): ErrorCode[] {
	if (!ts.isLiteralExpression(node) && !ts.isTemplateLiteralToken(node)) return [];
	return CODES.filter((code) => new RegExp(`(?<![a-z-])${code}(?![a-z-])`).test(node.text));
}

function visit(source: ts.SourceFile, use: (node: ts.Node) => void): void {
	const step = (node: ts.Node) => {
		use(node);
		ts.forEachChild(node, step);
	};
	step(source);
}

function ancestorsOf(node: ts.Node): ts.Node[] {
	const found: ts.Node[] = [];
	for (let at = node.parent; at !== undefined; at = at.parent) found.push(at);
	return found;
}

/** `expect(a).not.toBe(b)` as ["expect", "not", "toBe"]. */
function chainOf(call: ts.CallExpression): string[] {
	const names: string[] = [];
	let at: ts.Expression = call;
	while (!ts.isIdentifier(at)) {
		if (ts.isPropertyAccessExpression(at)) names.unshift(at.name.text);
		else if (!ts.isCallExpression(at)) return names;
		at = at.expression;
	}
	return [at.text, ...names];
}

/** The last name of what is called: `each` of `it.each(TABLE)`, nothing of the call of its result. */
function calledName({ expression }: ts.CallExpression): string {
	if (ts.isPropertyAccessExpression(expression)) return expression.name.text;
	return ts.isIdentifier(expression) ? expression.text : "";
}

/** The whole `expect(…)….matcher(…)` around or behind a call that begins with expect. */
function wholeExpectation(call: ts.CallExpression): ts.CallExpression {
	let whole = call;
	for (let at: ts.Node = call; ts.isCallExpression(at) || ts.isPropertyAccessExpression(at); at = at.parent)
		if (ts.isCallExpression(at)) whole = at;
	return whole;
}

function isPositiveExpectation(call: ts.CallExpression): boolean {
	if (chainOf(call)[0] !== "expect") return false;
	const whole = wholeExpectation(call);
	const argument = whole.arguments[0]?.getText();
	return !chainOf(whole).includes("not") && !NEGATIVE_ARGUMENTS.includes(argument ?? "");
}

/** Names of the tables in `it.each(TABLE)`. */
function tablesOf(source: ts.SourceFile): Set<string> {
	const names = new Set<string>();
	visit(source, (node) => {
		if (!ts.isCallExpression(node) || calledName(node) !== "each") return;
		const [table] = node.arguments;
		if (table !== undefined && ts.isIdentifier(table)) names.add(table.text);
	});
	return names;
}

function isExpected(literal: ts.Node, tables: ReadonlySet<string>): boolean {
	return ancestorsOf(literal).some((node) => {
		if (ts.isPropertyAssignment(node)) return node.name.getText() === "until";
		if (ts.isVariableDeclaration(node)) return tables.has(node.name.getText());
		if (!ts.isCallExpression(node)) return false;
		const name = calledName(node);
		return name === "each" || EXPECTING_CALLS.includes(name) || isPositiveExpectation(node);
	});
}

/** Where each code is expected, as files. */
function findProvocations(): Map<ErrorCode, Set<string>> {
	const found = new Map<ErrorCode, Set<string>>(CODES.map((code) => [code, new Set()]));
	const isTest = (name: string) =>
		(name.endsWith(".test.ts") || name.includes("/contracts/")) &&
		!DATA_ONLY.some((prefix) => name.startsWith(prefix));
	for (const source of sourcesIn("host-tests", isTest)) {
		const tables = tablesOf(source);
		visit(source, (node) => {
			for (const code of codesIn(node)) if (isExpected(node, tables)) found.get(code)?.add(source.fileName);
		});
	}
	return found;
}

/** A code is raised where it stands neither in a type, nor in a comparison, nor as the name of a row. */
function isRaised(literal: ts.Node): boolean {
	const { parent } = literal;
	if (ts.isBinaryExpression(parent)) return parent.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken;
	if (ts.isArrayLiteralExpression(parent) || ts.isCaseClause(parent)) return false;
	return !ts.isLiteralTypeNode(parent) && !(ts.isPropertyAssignment(parent) && parent.name === literal);
}

function findRaised(): Set<ErrorCode> {
	const raised = new Set<ErrorCode>();
	for (const room of ["src", "server"])
		for (const source of sourcesIn(room, (name) => !name.endsWith("protocol/error-codes.ts")))
			visit(source, (node) => {
				if (ts.isStringLiteral(node) && isRaised(node))
					for (const code of codesIn(node)) if (code === node.text) raised.add(code);
			});
	return raised;
}

const provocations = findProvocations();
const raised = findRaised();

describe("every error code", () => {
	test.each(CODES)("%s is provoked by a test", (code) => {
		expect([...(provocations.get(code) ?? [])]).not.toEqual([]);
	});

	test("is raised by the firmware or the server", () => {
		expect(CODES.filter((code) => !raised.has(code))).toEqual([]);
	});
});
