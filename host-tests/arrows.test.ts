// The rules of structure (docs/design.md): who may import whom, and what a file may look like. Part of npm run check.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const ROOMS = ["src", "server", "cli", "web", "scripts", "simulator", "examples", "host-tests"];
const LINES_MAX = 300;

interface Import {
	readonly from: string;
	/** Path relative to the root without extension, or the specifier of a module from outside. */
	readonly to: string;
	readonly isRelative: boolean;
	readonly isTypeOnly: boolean;
}

const files = ROOMS.flatMap((room) => listFiles(room)).sort();
const typescriptFiles = files.filter((file) => /\.tsx?$/.test(file));
const imports = typescriptFiles.flatMap(readImports);

function listFiles(folder: string): string[] {
	let entries: string[];
	try {
		entries = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
	} catch {
		return [];
	}
	return entries.filter((name) => /\.(ts|tsx|c|h|js|mjs|sh)$/.test(name)).map((name) => join(folder, name));
}

function readImports(file: string): Import[] {
	const source = ts.createSourceFile(
		file,
		readFileSync(join(ROOT, file), "utf8"),
		ts.ScriptTarget.Latest,
		true,
	);
	const found: Import[] = [];
	const visit = (node: ts.Node) => {
		const specifier = specifierOf(node);
		if (specifier !== undefined) found.push(toImport(file, specifier, isTypeOnly(node)));
		ts.forEachChild(node, visit);
	};
	visit(source);
	return found;
}

function specifierOf(node: ts.Node): string | undefined {
	let literal: ts.Node | undefined;
	if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) literal = node.moduleSpecifier;
	else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
		literal = node.arguments[0];
	else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) literal = node.argument.literal;
	return literal && ts.isStringLiteralLike(literal) ? literal.text : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
	if (ts.isImportTypeNode(node)) return true;
	if (ts.isExportDeclaration(node)) return node.isTypeOnly;
	if (!ts.isImportDeclaration(node) || !node.importClause) return false;
	return node.importClause.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

function toImport(from: string, specifier: string, typeOnly: boolean): Import {
	const isRelative = specifier.startsWith(".");
	const path = isRelative ? relative(ROOT, join(ROOT, dirname(from), specifier)) : specifier;
	return { from, to: path.replace(/\.(js|mjs|ts)$/, ""), isRelative, isTypeOnly: typeOnly };
}

const isNode = ({ to }: Import) => to.startsWith("node:");
const isPackage = ({ to, isRelative }: Import) =>
	!isRelative && !to.startsWith("node:") && !to.startsWith("embedded:");
const isModdable = ({ to }: Import) => /^(embedded:|timer$|time$|net$|mc\/|pins\/)/.test(to);
const isIn =
	(...rooms: readonly string[]) =>
	(arrow: Import) =>
		arrow.isRelative && rooms.some((room) => arrow.to === room || arrow.to.startsWith(`${room}/`));
const anyOf =
	(...rules: readonly ((arrow: Import) => boolean)[]) =>
	(arrow: Import) =>
		rules.some((rule) => rule(arrow));
const isPortsType = (arrow: Import) => arrow.to === "src/update/ports" && arrow.isTypeOnly;

/** What an application on top of the firmware imports. */
const isLibrary = ({ to }: Import) => to === "main" || to === "native/fota-system";

/** Says which version this is. */
const isProjectVersion = ({ to, isRelative }: Import) => isRelative && to === "package.json";

/** The first row whose room holds a file says what the file may import. */
const RULES: readonly (readonly [room: string, rule: (arrow: Import) => boolean])[] = [
	["src/protocol/", isIn("src/protocol")],
	["src/update/", isIn("src/update", "src/protocol")],
	["src/http/", isIn("src/http")],
	["src/native/", isIn("src/native")],
	[
		"src/adapters/",
		anyOf(isIn("src/adapters", "src/protocol", "src/http", "src/native"), isPortsType, isModdable),
	],
	["src/", anyOf(isIn("src"), isModdable)],
	["server/", anyOf(isIn("server", "src/protocol"), isNode, isPackage, isProjectVersion)],
	["cli/", anyOf(isIn("cli", "src/protocol"), isNode, isPackage)],
	["web/", anyOf(isIn("web", "src/protocol"), isPackage)],
	// Runs on the device: the old system's way, for comparison.
	["scripts/bench/old-way.ts", anyOf(isModdable, ({ to }) => /^(adapters|native|protocol)\//.test(to))],
	["scripts/", anyOf(isIn("scripts", "src/protocol", "cli", "server"), isNode, isPackage)],
	// One has to know which board it runs on.
	[
		"host-tests/firmware/fails-on-revision-b.ts",
		anyOf(isModdable, isLibrary, ({ to }) => to === "adapters/identity-store" || to === "native/fota-flash"),
	],
	["host-tests/firmware/", anyOf(isIn("host-tests/firmware"), isModdable, isLibrary)],
	["examples/", anyOf(isIn("examples"), isModdable, isLibrary)],
	[
		"host-tests/",
		anyOf(isIn("host-tests", "src", "server", "cli", "web", "scripts/system-programs"), isNode, isPackage),
	],
];

const show = ({ from, to }: Import) => `${from} → ${to}`;

describe("imports", () => {
	test("were found at all", () => {
		expect(imports.length).toBeGreaterThan(50);
	});

	test("follow the arrows of docs/design.md", () => {
		const isWrong = (arrow: Import) => !RULES.find(([room]) => arrow.from.startsWith(room))?.[1](arrow);
		expect(imports.filter(isWrong).map(show)).toEqual([]);
	});

	test("never reach a main.ts", () => {
		const isMain = (arrow: Import) => arrow.isRelative && /(^|\/)main$/.test(arrow.to);
		expect(imports.filter(isMain).map(show)).toEqual([]);
	});

	test("reach what the firmware is composed in from main.ts alone", () => {
		const isWrong = (arrow: Import) =>
			isIn("src/composition")(arrow) &&
			arrow.from !== "src/main.ts" &&
			!arrow.from.startsWith("src/composition/");
		expect(imports.filter(isWrong).map(show)).toEqual([]);
	});

	test("never reach scripts from another room", () => {
		const isWrong = (arrow: Import) =>
			isIn("scripts")(arrow) &&
			!arrow.from.startsWith("scripts/") &&
			// nginx and PostgreSQL, which tests start as the bench does.
			!(isIn("scripts/system-programs")(arrow) && arrow.from.startsWith("host-tests/"));
		expect(imports.filter(isWrong).map(show)).toEqual([]);
	});

	test("of the server are packages that a container installs", () => {
		const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
		const names = Object.keys(dependencies).map((name) => name.replace(/\.js$/, ""));
		const isInstalled = ({ to }: Import) => names.some((name) => to === name || to.startsWith(`${name}/`));
		const shipped = imports.filter(
			(arrow) => arrow.from.startsWith("server/") && isPackage(arrow) && !arrow.isTypeOnly,
		);
		expect(shipped.length).toBeGreaterThan(20);
		expect(shipped.filter((arrow) => !isInstalled(arrow)).map(show)).toEqual([]);
	});

	test("end in .js where they are relative", () => {
		const wrong = typescriptFiles.filter((file) =>
			/(?:from|import)\s*\(?\s*"\.{1,2}\/[^"]*(?<!\.js|\.mjs|\.json)"/.test(
				readFileSync(join(ROOT, file), "utf8"),
			),
		);
		expect(wrong).toEqual([]);
	});
});

describe("files", () => {
	test(`have at most ${LINES_MAX} lines`, () => {
		const long = files
			.filter((file) => !file.startsWith("host-tests/"))
			.filter((file) => readFileSync(join(ROOT, file), "utf8").split("\n").length - 1 > LINES_MAX);
		expect(long).toEqual([]);
	});

	test("begin with a comment that says what they are; tests have their titles", () => {
		const silent = files
			.filter((file) => !file.endsWith(".test.ts"))
			.filter((file) => !/^(#!.*\n)?\s*(\/\/|\/\*|#)/.test(readFileSync(join(ROOT, file), "utf8")));
		expect(silent).toEqual([]);
	});

	test("have names in kebab-case", () => {
		const isKebab = (file: string) => /\/[a-z0-9]+([-.][a-z0-9]+)*$/.test(file);
		const isForeign = (file: string) =>
			file.startsWith("simulator/esp-idf/include/") || file.startsWith("simulator/xs/include/");
		expect(files.filter((file) => !isKebab(file) && !isForeign(file))).toEqual([]);
	});

	test("of the firmware keep no state at module level", () => {
		const stateful = typescriptFiles
			.filter((file) => file.startsWith("src/"))
			.filter((file) => /^(?:export\s+)?(?:let|var)\s/m.test(readFileSync(join(ROOT, file), "utf8")));
		expect(stateful).toEqual([]);
	});

	test("of the command line touch the process in main.ts alone, so that tests may run it in theirs", () => {
		const touches = /\bprocess\.(?!execPath\b|platform\b)\w/;
		const wrong = typescriptFiles
			.filter((file) => file.startsWith("cli/") && file !== "cli/main.ts")
			.filter((file) => touches.test(readFileSync(join(ROOT, file), "utf8")));
		expect(wrong).toEqual([]);
	});

	test("of C have names unique across the application, since objects are named by basename", () => {
		const names = files
			.filter((file) => file.startsWith("src/") && file.endsWith(".c"))
			.map((file) => file.split("/").pop());
		expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
		expect(names.filter((name) => !name?.startsWith("fota-"))).toEqual([]);
	});
});
