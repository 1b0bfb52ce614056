// Dockerfile, compose.yaml and deploy/nginx.conf held to each other and to the server, as far as that goes without
// starting the containers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createRigApp } from "./server/server-rig.js";
import { writeCertificate } from "./server/test-certificate.js";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface Service {
	readonly build?: string;
	readonly image?: string;
	readonly environment?: Readonly<Record<string, string>>;
	readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
	readonly healthcheck?: { readonly test: readonly string[] };
	readonly volumes?: readonly string[];
	readonly networks?: readonly string[];
	readonly ports?: readonly string[];
}
const compose = parse(read("compose.yaml"), { merge: true }) as {
	readonly services: Readonly<Record<string, Service>>;
	readonly volumes: object;
	readonly networks: object;
};
const services = Object.entries(compose.services);
const servers = services.filter(([, service]) => service.build !== undefined);

/** The text of everything that reads the environment. */
const settings = readdirSync(join(ROOT, "server"))
	.filter((name) => name.endsWith(".ts"))
	.map((name) => read(`server/${name}`))
	.join("\n");

describe("compose.yaml", () => {
	it("has two servers with the same settings, each of which the server knows", () => {
		expect(servers.map(([name]) => name)).toEqual(["server-1", "server-2"]);
		expect(servers[0]?.[1].environment).toEqual(servers[1]?.[1].environment);
		const names = Object.keys(servers[0]?.[1].environment ?? {});
		expect(names.length).toBeGreaterThan(8);
		expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(settings))).toEqual([]);
	});

	it("waits for what each service needs until it is healthy", () => {
		for (const [name, { depends_on: needs = {} }] of services)
			for (const [needed, { condition }] of Object.entries(needs)) {
				expect(compose.services, `${name} → ${needed}`).toHaveProperty([needed]);
				const service = compose.services[needed];
				// The servers' check is the Dockerfile's.
				if (condition === "service_healthy")
					expect(service?.healthcheck ?? service?.build, needed).toBeDefined();
			}
	});

	it("takes the database for ready by TCP, as the servers come: on its socket it answers while it is still made", () => {
		expect(compose.services.database?.healthcheck?.test).toEqual(expect.arrayContaining(["-h", "127.0.0.1"]));
	});

	it("uses volumes and networks that it declares, and files that are there", () => {
		for (const [, { volumes = [], networks = [] }] of services) {
			for (const network of networks) expect(compose.networks).toHaveProperty([network]);
			for (const volume of volumes) {
				const [source = ""] = volume.split(":");
				if (!source.startsWith("./")) expect(compose.volumes).toHaveProperty([source]);
				else if (!source.endsWith("/tls")) expect(existsSync(join(ROOT, source)), source).toBe(true);
			}
		}
	});

	it("lets nobody in but through the proxy, and has no secret in it", () => {
		expect(services.flatMap(([name, { ports }]) => (ports === undefined ? [] : name))).toEqual(["proxy"]);
		for (const [name, { environment = {} }] of services)
			for (const [key, value] of Object.entries(environment))
				if (/PASSWORD|TOKEN|SECRET|MASTER|DATABASE_URL|MC_HOST/.test(key))
					expect(value, `${name} ${key}`).toMatch(/\$\{[A-Z0-9_]+:\?/);
	});
});

describe("Dockerfile", () => {
	const lines = read("Dockerfile").split("\n");
	it("copies what is there and what .dockerignore lets through", () => {
		const allowed = read(".dockerignore")
			.split("\n")
			.flatMap((line) => (line.startsWith("!") ? line.slice(1) : []));
		const copied = lines
			.filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
			.flatMap((line) => line.split(" ").slice(1, -1));
		expect(copied.length).toBeGreaterThan(3);
		for (const path of copied) {
			expect(existsSync(join(ROOT, path)), path).toBe(true);
			expect(allowed).toContain(path.replace(/^\.\//, ""));
		}
	});

	it("runs the server as a user without rights, by itself, and asks whether it lives", () => {
		const last = lines.findLastIndex((line) => line.startsWith("USER "));
		expect(lines[last]).toBe("USER node");
		expect(last).toBeLessThan(lines.findIndex((line) => line.startsWith("ENTRYPOINT ")));
		expect(lines.join("\n")).toMatch(/HEALTHCHECK[\s\S]*\/health/);
	});

	it("makes a server that starts from what it copies alone, shows its pages, and stops when it is asked to", async () => {
		const folder = await mkdtemp(join(tmpdir(), "fota-deployment-test-"));
		const first = join(folder, "packages");
		const second = join(folder, "server");
		try {
			for (const stage of [first, second]) {
				await mkdir(stage);
				await symlink(join(ROOT, "node_modules"), join(stage, "node_modules"));
			}
			const [one = "", two = ""] = read("Dockerfile")
				.split(/^FROM .*$/m)
				.slice(1);
			for (const [, paths = ""] of one.matchAll(/^COPY (?!--from)(.*) \S+$/gm))
				for (const path of paths.split(" "))
					await cp(join(ROOT, path), join(first, path), { recursive: true });
			for (const [, script = ""] of one.matchAll(/^RUN node (.*)$/gm)) {
				const bundler = spawn(process.execPath, script.split(" "), { cwd: first });
				expect((await once(bundler, "exit"))[0]).toBe(0);
			}
			for (const [, path = ""] of two.matchAll(/^COPY --from=packages \/app\/(\S+) /gm))
				if (path !== "node_modules") await cp(join(first, path), join(second, path), { recursive: true });
			await rm(first, { recursive: true });
			const [, entry = "[]"] = /^ENTRYPOINT (\[.*\])$/m.exec(two) ?? [];
			await startAndStop(second, JSON.parse(entry) as string[], join(folder, "data"));
		} finally {
			await rm(folder, { recursive: true });
		}
	});
});

async function startAndStop(
	cwd: string,
	[program = "", ...parameters]: string[],
	data: string,
): Promise<void> {
	const environment = { PATH: process.env.PATH, HOST: "127.0.0.1", PORT: "0", FOTA_DATA: data };
	const server = spawn(program, parameters, { cwd, env: environment });
	try {
		let output = "";
		for (const stream of [server.stdout, server.stderr])
			stream.on("data", (piece: Buffer) => {
				output += piece.toString();
			});
		await expect.poll(() => output, { timeout: 200_000 }).toContain('"msg":"listening"');
		const url = /"url":"([^"]+)"/.exec(output)?.[1] ?? "";
		for (const path of ["/ready", "/openapi.json", "/docs", "/docs/static/swagger-ui.css"])
			expect((await fetch(`${url}${path}`)).status, path).toBe(200);
		server.kill("SIGTERM");
		expect((await once(server, "exit"))[0]).toBe(0);
	} finally {
		server.kill("SIGKILL");
	}
}

describe("the Dockerfile's question whether the server lives", () => {
	const [, command = "[]"] = /^\tCMD (\[.*\])$/m.exec(read("Dockerfile")) ?? [];
	const [program = "", ...parameters] = JSON.parse(command) as string[];
	/** Exit code: 0 is alive. */
	const ask = async (environment: Record<string, string>) => {
		const child = spawn(program, parameters, { env: { PATH: process.env.PATH, ...environment } });
		const [code] = await once(child, "exit");
		return code;
	};

	it("is answered by HTTP and by HTTPS, whichever the server speaks, and by nobody where there is none", async () => {
		const plain = await createRigApp();
		const PORT = new URL(await plain.app.listen()).port;
		expect(await ask({ PORT })).toBe(0);
		await plain.app.close();
		expect(await ask({ PORT })).toBe(1);
		const folder = await mkdtemp(join(tmpdir(), "fota-deployment-test-"));
		const { certPath, keyPath } = await writeCertificate(folder, "server");
		const secure = await createRigApp({ tls: { certPath, keyPath } });
		const port = new URL(await secure.app.listen()).port;
		expect(await ask({ PORT: port, FOTA_TLS_CERT: certPath })).toBe(0);
		await secure.app.close();
		await rm(folder, { recursive: true });
	});
});

describe("deploy/nginx.conf", () => {
	const text = read("deploy/nginx.conf").replace(/#.*$/gm, "");
	it("sends requests to the servers of compose.yaml, and closes what it opens", () => {
		const upstream = [...text.matchAll(/^\s*server (\S+):8080/gm)].map(([, name]) => name);
		expect(upstream).toEqual(servers.map(([name]) => name));
		expect(text.split("{").length).toBe(text.split("}").length);
		for (const line of text.split("\n").map((one) => one.trim()))
			if (line !== "") expect(line).toMatch(/[;{}]$/);
	});

	it("asks for a server's address again, which is another one after the server was made anew", () => {
		const upstream = /upstream fota \{([^}]*)\}/.exec(text)?.[1] ?? "";
		const lines = upstream.split(";").map((line) => line.trim());
		const named = lines.filter((line) => line.startsWith("server "));
		expect(named.length).toBe(servers.length);
		for (const line of named) expect(line.split(/\s+/)).toContain("resolve");
		// Without shared memory nginx takes no addresses while it runs; from 1.27.3 on it can outside the paid edition.
		expect(lines.some((line) => line.startsWith("zone "))).toBe(true);
		expect(text).toMatch(/^\s*resolver 127\.0\.0\.11 /m);
		const [, major, minor] = /nginx:(\d+)\.(\d+)/.exec(compose.services.proxy?.image ?? "") ?? [];
		expect(Number(major) * 100 + Number(minor)).toBeGreaterThanOrEqual(128);
	});

	it("passes paths on as they came, events at once, and keeps the metrics inside", () => {
		for (const [, target] of text.matchAll(/proxy_pass (\S+);/g)) expect(target).toBe("http://fota");
		expect(/location = \/api\/events \{([^}]*)\}/.exec(text)?.[1]).toContain("proxy_buffering off;");
		expect(/location = \/metrics \{([^}]*)\}/.exec(text)?.[1]).toContain("return 404;");
	});
});
