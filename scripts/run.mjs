// Starts one of the project's TypeScript programs under Node:
//
//   node scripts/run.mjs server/main.ts [ARGUMENTS]
//   node scripts/run.mjs --bundle server/main.ts      writes build/programs/server-main.mjs and ends
//
// Called by npm's scripts, the Dockerfile and the tests. The program and its packages are bundled into one file, because
// to find and read a thousand small ones takes far longer than everything else at a start. It is made anew when one of
// the project's files in it, or the lock file of the packages, is another than when it was made.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = dirname(import.meta.dirname);
const STOP_TIMEOUT_MS = 5000;
const FOLDER = join(ROOT, "build", "programs");
// Of these, Node reads files where they are installed: native code, pages, what runs in a thread of its own.
const NOT_BUNDLED = [
	"libsql",
	"serialport",
	"@fastify/swagger-ui",
	"pino",
	"esbuild",
	"typescript",
	"pg-native",
];
// Packages in the older module format ask for Node's own modules by require().
const REQUIRE =
	'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';

/** `program`: a file, relative to the project's root. Returns the bundle's path. */
async function bundle(program) {
	const outfile = join(FOLDER, `${program.replace(/\.ts$/, "").replaceAll("/", "-")}.mjs`);
	const madeOf = `${outfile}.inputs.json`;
	if (isFresh(madeOf)) return outfile;
	const startMs = Date.now();
	if (process.stderr.isTTY) process.stderr.write(`set-up: bundling ${program}\n`);
	const { build, stop } = await import("esbuild");
	const { outputFiles, metafile } = await build({
		absWorkingDir: ROOT,
		entryPoints: [program],
		outfile,
		bundle: true,
		write: false,
		metafile: true,
		platform: "node",
		format: "esm",
		target: "node20.19",
		sourcemap: "linked",
		sourcesContent: false,
		external: NOT_BUNDLED,
		banner: { js: REQUIRE },
		logLevel: "error",
	});
	// Else its process stays beside the program, and takes processor time all along; but nothing depends on its end.
	await within(STOP_TIMEOUT_MS, stop());
	mkdirSync(FOLDER, { recursive: true });
	// Until it is written again nothing counts as fresh: another process may have made it of newer sources meanwhile.
	rmSync(madeOf, { force: true });
	// The map first: whoever sees the bundle finds everything.
	for (const file of outputFiles.toSorted((a, b) => b.path.length - a.path.length))
		replace(file.path, file.contents);
	const own = Object.keys(metafile.inputs).filter((path) => !path.includes("node_modules/"));
	const inputs = [...own, "package-lock.json", relative(ROOT, import.meta.filename)].map((path) =>
		stateOf(path),
	);
	// One that was changed meanwhile may be in the bundle as it was before: it is made again at the next start.
	if (inputs.every(({ changedMs }) => changedMs < startMs)) replace(madeOf, JSON.stringify(inputs));
	return outfile;
}

/** Goes on when the task is done, or the time is over. */
async function within(timeoutMs, task) {
	let timer;
	const isOver = new Promise((resolve) => {
		timer = setTimeout(resolve, timeoutMs);
	});
	await Promise.race([task, isOver]);
	clearTimeout(timer);
}

function isFresh(madeOf) {
	try {
		const inputs = JSON.parse(readFileSync(madeOf, "utf8"));
		return inputs.every(({ path, changedMs, bytes }) => {
			const now = stateOf(path);
			return now.changedMs === changedMs && now.bytes === bytes;
		});
	} catch (error) {
		if (error.code === "ENOENT" || error instanceof SyntaxError) return false;
		throw error;
	}
}

function stateOf(path) {
	const { mtimeMs, size } = statSync(join(ROOT, path));
	return { path, changedMs: mtimeMs, bytes: size };
}

/** Another process may start the same program at this moment: it reads the old file or the new one, never half of one. */
function replace(path, contents) {
	const temporary = `${path}.${process.pid}`;
	writeFileSync(temporary, contents);
	renameSync(temporary, path);
}

const [first = "", ...rest] = process.argv.slice(2);
const onlyBundle = first === "--bundle";
const program = relative(ROOT, resolve(ROOT, onlyBundle ? (rest[0] ?? "") : first));
const outfile = await bundle(program);
if (onlyBundle) process.stdout.write(`${join("build", "programs", basename(outfile))}\n`);
else {
	// Errors name the lines of the source.
	process.setSourceMapsEnabled(true);
	process.argv = [process.execPath, outfile, ...rest];
	await import(pathToFileURL(outfile).href);
}
