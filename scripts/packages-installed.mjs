// Exit code 0 if node_modules/ is what package-lock.json says. Called by setup.sh, before any package is there.
// npm writes down what it installed in node_modules/.package-lock.json; the two are compared package by package.
import { readFileSync } from "node:fs";

function packages(file) {
	try {
		return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
	} catch {
		return {};
	}
}

const wanted = packages("package-lock.json");
const installed = packages("node_modules/.package-lock.json");
const names = Object.keys(wanted).filter((name) => name !== "");
const isSame = (name) =>
	installed[name] === undefined
		? wanted[name].optional === true
		: installed[name].integrity === wanted[name].integrity;
const hasStranger = Object.keys(installed).some((name) => wanted[name] === undefined);
process.exit(names.length > 0 && names.every(isSame) && !hasStranger ? 0 : 1);
