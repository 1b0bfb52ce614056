// Reads a manifest as mcconfig does (Moddable SDK 8.2.3, tools/mcmanifest.js), as far as this project's use of it goes:
// included manifests first, `~` before all else, wildcards over one folder, and each source under the first name that
// takes it. What lies in the SDK is not read.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

export interface ReadManifest {
	/** Of `build`: the last one wins, and an included manifest counts after the one that includes it. */
	readonly build: ReadonlyMap<string, string>;
	readonly creation: Readonly<Record<string, unknown>>;
	/** Specifier to source, relative to the project. */
	readonly modules: ReadonlyMap<string, string>;
	/** C and header files, relative to the project. */
	readonly natives: readonly string[];
	readonly preload: readonly string[];
	/** Of the SDK's own, as they are written. */
	readonly sdkIncludes: readonly string[];
	/** What matches no file. */
	readonly problems: readonly string[];
}

interface Manifest {
	readonly build?: Record<string, string>;
	readonly creation?: Record<string, unknown>;
	readonly include?: readonly string[];
	readonly modules?: Record<string, string | readonly string[]>;
	readonly preload?: readonly string[];
}

interface Entry {
	readonly target: string;
	/** Absolute, may end in a wildcard. */
	readonly source: string;
}

export function readManifest(name: string): ReadManifest {
	const build = new Map<string, string>();
	const creation: Record<string, unknown> = {};
	const entries: Entry[] = [];
	const preload: string[] = [];
	const sdkIncludes: string[] = [];
	const visit = (path: string): void => {
		const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
		const folder = dirname(path);
		for (const [key, value] of Object.entries(manifest.build ?? {})) build.set(key, value);
		for (const include of manifest.include ?? []) {
			if (include.startsWith("$(")) sdkIncludes.push(include);
			else visit(resolve(folder, include));
		}
		Object.assign(creation, manifest.creation);
		preload.push(...(manifest.preload ?? []));
		for (const [target, sources] of Object.entries(manifest.modules ?? {}))
			for (const source of [sources].flat()) entries.push({ target, source: absolute(folder, source) });
	};
	visit(join(PROJECT_ROOT, name));
	// Keys of one name are one list in mcconfig, at the place of the first.
	const order = [...new Set(entries.map(({ target }) => target))];
	entries.sort((a, b) => order.indexOf(a.target) - order.indexOf(b.target));
	return { build, creation, preload, sdkIncludes, ...expand(entries) };
}

function absolute(folder: string, source: string): string {
	return source.startsWith("$(") ? source : resolve(folder, source);
}

function expand(entries: readonly Entry[]): Pick<ReadManifest, "modules" | "natives" | "problems"> {
	const taken = new Set<string>();
	const modules = new Map<string, string>();
	const natives: string[] = [];
	const problems: string[] = [];
	const inOrder = [...entries].sort((a, b) => Number(b.target === "~") - Number(a.target === "~"));
	for (const { target, source } of inOrder) {
		if (source.startsWith("$(")) continue;
		const matches = matchingFiles(source);
		if (matches.length === 0) problems.push(`${target}: ${relative(PROJECT_ROOT, source)} matches no file`);
		for (const { path, name } of matches) {
			if (taken.has(path)) continue;
			taken.add(path);
			if (target === "~") continue;
			const file = relative(PROJECT_ROOT, path);
			if (/\.[ch]$/.test(path)) natives.push(file);
			else if (!modules.has(target.replace("*", name))) modules.set(target.replace("*", name), file);
		}
	}
	return { modules, natives, problems };
}

function matchingFiles(source: string): { readonly path: string; readonly name: string }[] {
	const folder = dirname(source);
	if (!existsSync(folder)) return [];
	const pattern = source.slice(folder.length + 1);
	const files = readdirSync(folder).filter((file) => /\.(ts|js|c|h)$/.test(file) && !file.endsWith(".d.ts"));
	return files
		.map((file) => ({ path: join(folder, file), name: file.replace(/\.[a-z]+$/, "") }))
		.filter(({ name }) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}
