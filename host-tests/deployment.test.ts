// Dockerfile, compose.yaml and deploy/nginx.conf held to each other and to the server, as far as that goes without
// starting them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface Service {
	readonly build?: string;
	readonly environment?: Readonly<Record<string, string>>;
	readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
	readonly healthcheck?: object;
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
		expect(lines.find((line) => line.startsWith("ENTRYPOINT "))).toContain('"server/main.ts"]');
		expect(lines.join("\n")).toMatch(/HEALTHCHECK[\s\S]*\/health/);
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

	it("passes paths on as they came, events at once, and keeps the metrics inside", () => {
		for (const [, target] of text.matchAll(/proxy_pass (\S+);/g)) expect(target).toBe("http://fota");
		expect(/location = \/api\/events \{([^}]*)\}/.exec(text)?.[1]).toContain("proxy_buffering off;");
		expect(/location = \/metrics \{([^}]*)\}/.exec(text)?.[1]).toContain("return 404;");
	});
});
