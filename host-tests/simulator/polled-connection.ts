// Modules of a simulated device whose main talks over FotaSockets: connections that are looked at each millisecond. Used by
// the tests of the simulator's network. It must not know what they say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

/**
 * What main has: `say`, `Timer`, `Time`, `sockets`, and `open(port, on)`, a connection that says `on.says` (".") as soon as
 * it stands, and whose `on` hears of `stands()`, then `readable()` at each look, and `over()`; with `read(count)` (a string),
 * `write(text)`, `rest()` and `close()`.
 */
const HEAD = `import { FotaSockets } from "native/fota-sockets"; import Timer from "timer"; import Time from "time";
	const say = (...x) => trace(x.join(" ") + "\\n"); const sockets = new FotaSockets();
	class Connection {
		constructor(port, on) { this.on = on; this.handle = sockets.connect("127.0.0.1", port); this.wake(); }
		wake() { this.timer = Timer.repeat(() => this.look(), 1); }
		rest() { Timer.clear(this.timer); this.timer = undefined; }
		look() {
			if (!this.hasStood && this.write(this.on.says ?? ".") > 0) { this.hasStood = true; this.on.stands?.call(this); }
			if (this.timer && this.hasStood && this.on.readable) this.on.readable.call(this);
			else if (this.timer) this.read(1);
		}
		read(count) {
			const bytes = new Uint8Array(count), got = sockets.read(this.handle, bytes, 0, count);
			if (got < 0) { this.close(); this.on.over?.call(this); }
			return String.fromCharCode(...bytes.subarray(0, Math.max(got, 0)));
		}
		write(text) { return sockets.write(this.handle, new Uint8Array(ArrayBuffer.fromString(text)), 0, text.length); }
		close() { if (this.timer) this.rest(); sockets.close(this.handle); }
	}
	const open = (port, on) => new Connection(port, on);
`;

export function modulesWithSockets(main: string): Record<string, string> {
	const source = readFileSync(join(PROJECT_ROOT, "src/native/fota-sockets.ts"), "utf8");
	const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
	const { outputText } = ts.transpileModule(source, { compilerOptions });
	return { main: HEAD + main, "native/fota-sockets": outputText };
}
