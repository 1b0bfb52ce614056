// What every Cloud does, whatever it stands on and whoever answers. It must not know how the two talk, nor when a device
// asks.
import { chunkCountOf } from "../../src/protocol/manifest.js";
import {
	askManifest,
	askOrder,
	type Chunks,
	type CloudSubject,
	CONTRACT_CHUNK_BYTES,
	CONTRACT_CHUNK_COUNT,
	CONTRACT_IMAGE_BYTES,
	compareBytes,
	Fetch,
	framesOf,
	reportOf,
	sendReport,
	until,
} from "./cloud-calls.js";
import { type Contract, expectEqual } from "./contract.js";

const ALL: Chunks = { first: 0, count: CONTRACT_CHUNK_COUNT };
const FRAME_BYTES = CONTRACT_CHUNK_BYTES + 36;
/** Does not divide a frame. */
const WANTED_BYTES = 70;
const NETWORK_CODES: readonly string[] = ["network-unavailable", "network-timeout"];
const REASON = "it hums";

/** Fetches to the end and compares every byte. */
async function expectChunks(subject: CloudSubject, chunks: Chunks): Promise<void> {
	const fetch = new Fetch(subject, chunks);
	expectEqual(await fetch.result(subject), "complete");
	expectEqual(compareBytes(fetch.bytes, framesOf(subject.release, chunks)), "the same");
}

/** All four, one after the other. */
async function expectService(subject: CloudSubject): Promise<void> {
	const { cloud, release } = subject;
	const manifest = await askManifest(cloud).result(subject);
	expectEqual(typeof manifest === "object" ? manifest.hash : manifest, release.hash);
	await expectChunks(subject, { first: 1, count: 2 });
	expectEqual(await sendReport(cloud).result(subject), { isRollbackPending: false });
	expectEqual(await askOrder(cloud).result(subject), undefined);
}

function expectNetworkError(result: unknown): void {
	if (!NETWORK_CODES.includes(String(result))) expectEqual(result, NETWORK_CODES.join(" or "));
}

const questions: Contract<CloudSubject> = [
	{
		title: "gives no manifest while nothing is offered, and the one that is offered then",
		steps: [
			async (subject) => {
				const { cloud, server, release } = subject;
				expectEqual(await askManifest(cloud).result(subject), undefined);
				await server.offer();
				const manifest = await askManifest(cloud).result(subject);
				expectEqual(manifest, {
					version: release.version,
					buildNumber: 1,
					sizeBytes: CONTRACT_IMAGE_BYTES,
					hash: release.hash,
					chunkBytes: CONTRACT_CHUNK_BYTES,
					chunkCount: chunkCountOf(CONTRACT_IMAGE_BYTES, CONTRACT_CHUNK_BYTES),
					release: release.statement,
				});
			},
		],
	},
	{
		title: "brings reports to the server and says whether an order waits",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				expectEqual(await server.lastResetReason(), null);
				expectEqual(await sendReport(cloud, "brownout").result(subject), { isRollbackPending: false });
				expectEqual(await server.lastResetReason(), "brownout");
				await server.order(REASON);
				expectEqual(await sendReport(cloud, "panic").result(subject), { isRollbackPending: true });
				expectEqual(await server.lastResetReason(), "panic");
			},
		],
	},
	{
		title: "gives no order while there is none, and then its number and reason",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				expectEqual(await askOrder(cloud).result(subject), undefined);
				const orderId = await server.order(REASON);
				expectEqual(await askOrder(cloud).result(subject), { orderId, reason: REASON });
			},
		],
	},
	{
		title: "answers a manifest, a report and an order that are asked for at once",
		steps: [
			async (subject) => {
				const { cloud } = subject;
				const manifest = askManifest(cloud);
				const [report, order] = [sendReport(cloud), askOrder(cloud)];
				expectEqual(await order.result(subject), undefined);
				expectEqual([manifest.only, report.only], [undefined, { isRollbackPending: false }]);
			},
		],
	},
	{
		title: "takes the next call from inside the end of the one before",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				await server.offer();
				const inner: { fetch?: Fetch; order?: ReturnType<typeof askOrder> } = {};
				const query = { version: "1.0.0", chunkBytes: CONTRACT_CHUNK_BYTES };
				cloud.manifest(query, () => {
					inner.fetch = new Fetch(subject, { first: 3, count: 1 });
				});
				cloud.report(reportOf("sw"), () => {
					inner.order = askOrder(cloud);
				});
				await until(subject, () => inner.fetch !== undefined && inner.order !== undefined);
				expectEqual(await inner.fetch?.result(subject), "complete");
				expectEqual(await inner.order?.result(subject), undefined);
			},
		],
	},
];

const chunks: Contract<CloudSubject> = [
	{
		title: "hands over the frames of the chunks asked for, every byte in order, the short last one too",
		steps: [
			async (subject) => {
				await subject.server.offer();
				await expectChunks(subject, ALL);
				await expectChunks(subject, { first: 7, count: 1 });
				await expectChunks(subject, { first: CONTRACT_CHUNK_COUNT - 2, count: 2 });
			},
		],
	},
	{
		title: "asks for the frame of a first chunk that is held without its data",
		steps: [
			async (subject) => {
				await subject.server.offer();
				await expectChunks(subject, { first: 2, count: 3, isFirstHeld: true });
				await expectChunks(subject, { first: CONTRACT_CHUNK_COUNT - 1, count: 1, isFirstHeld: true });
			},
		],
	},
	{
		title: "hands over no more than is wanted, also where it comes with the head of an answer",
		steps: [
			async (subject) => {
				await subject.server.offer();
				const wantedBytes = (taken: number) => WANTED_BYTES - (taken % WANTED_BYTES);
				const fetch = new Fetch(subject, { ...ALL, wantedBytes });
				expectEqual(await fetch.result(subject), "complete");
				expectEqual(compareBytes(fetch.bytes, framesOf(subject.release, ALL)), "the same");
				expectEqual(fetch.unwantedBytes, 0);
			},
		],
	},
	{
		title: "ends with chunk-malformed when a piece is refused, and hands over nothing more",
		steps: [
			async (subject) => {
				await subject.server.offer();
				const fetch = new Fetch(subject, { ...ALL, goesOn: (taken) => taken < 3 * FRAME_BYTES });
				expectEqual(await fetch.result(subject), "chunk-malformed");
				expectEqual(fetch.bytes.length < 6 * FRAME_BYTES, true);
				await expectChunks(subject, { first: 2, count: 2 });
			},
		],
	},
	{
		title: "fails with release-unknown where the server does not offer the image",
		steps: [
			async (subject) => {
				const fetch = new Fetch(subject, ALL);
				expectEqual(await fetch.result(subject), "release-unknown");
				expectEqual(fetch.bytes.length, 0);
			},
		],
	},
	{
		title: "brings a report and the answer to it while chunks stream",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				await server.offer();
				const fetch = new Fetch(subject, ALL);
				await until(subject, () => fetch.bytes.length > 0);
				const report = sendReport(cloud, "panic");
				await until(subject, () => report.outcomes.length > 0);
				expectEqual(fetch.ends, []);
				expectEqual(await fetch.result(subject), "complete");
				expectEqual(compareBytes(fetch.bytes, framesOf(subject.release, ALL)), "the same");
				expectEqual(report.only, { isRollbackPending: false });
				expectEqual(await server.lastResetReason(), "panic");
			},
		],
	},
];

const breaks: Contract<CloudSubject> = [
	{
		title: "ends a stream of chunks and all that waits, each once and later, when it is disconnected",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				await server.offer();
				const fetch = new Fetch(subject, ALL);
				await until(subject, () => fetch.bytes.length > FRAME_BYTES);
				const calls = [sendReport(cloud), askOrder(cloud)];
				cloud.disconnect();
				expectEqual([fetch.ends.length, ...calls.map(({ outcomes }) => outcomes.length)], [0, 0, 0]);
				expectEqual(await fetch.result(subject), "network-unavailable");
				for (const call of calls) expectEqual(await call.result(subject), "network-unavailable");
				await expectService(subject);
			},
		],
	},
	{
		title: "ends a question that has just been put when it is disconnected, and takes the next one at once",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				const asked = askManifest(cloud);
				cloud.disconnect();
				const again = askManifest(cloud);
				expectEqual(asked.outcomes.length, 0);
				expectEqual(await again.result(subject), undefined);
				expectEqual(asked.only, "network-unavailable");
				await server.offer();
				await expectService(subject);
			},
		],
	},
	{
		title: "takes a disconnect with nothing under way, and another",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				await server.offer();
				cloud.disconnect();
				await expectService(subject);
				cloud.disconnect();
				cloud.disconnect();
				await expectService(subject);
			},
		],
	},
	{
		title: "fails with an error of the network while the server is gone, and works when it is back",
		steps: [
			async (subject) => {
				const { cloud, server } = subject;
				await server.offer();
				await expectService(subject);
				await server.goAway(0);
				for (const ask of [askManifest, sendReport, askOrder])
					expectNetworkError(await ask(cloud).result(subject));
				expectNetworkError(await new Fetch(subject, ALL).result(subject));
				await server.comeBack();
				await expectService(subject);
			},
		],
	},
	{
		title: "ends a stream of chunks with an error of the network when the server goes",
		steps: [
			async (subject) => {
				const { server } = subject;
				await server.offer();
				await server.goAway(4 * FRAME_BYTES);
				const fetch = new Fetch(subject, ALL);
				expectNetworkError(await fetch.result(subject));
				expectEqual(fetch.bytes.length > 0, true);
				const whole = framesOf(subject.release, ALL);
				expectEqual(compareBytes(fetch.bytes, whole.slice(0, fetch.bytes.length)), "the same");
				await server.comeBack();
				await expectService(subject);
			},
		],
	},
];

export const cloudContract: Contract<CloudSubject> = [...questions, ...chunks, ...breaks];
