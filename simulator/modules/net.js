/*
 * Stand-in for Moddable's "net" on the ESP32: the names of --resolve, and localhost. As there, the callback comes later,
 * from the event loop, with undefined for a name that nobody knows, and one question waits for the one before it. Of a
 * number nobody is asked: it is answered at once, in its turn and from the event loop, without a network too.
 */
import Timer from "timer";

const ANSWER_MS = 20;
const UNKNOWN_MS = 4000;

class Net {
	static #waiting = [];

	static get(property) {
		if (property === "IP") return native("xs_net_is_up").call(this) ? "127.0.0.1" : undefined;
	}

	static resolve(name, callback) {
		if (typeof callback !== "function") throw new TypeError("not a function");
		Net.#waiting.push({ name: String(name), callback });
		if (Net.#waiting.length === 1) Net.#next();
	}

	static #next() {
		const question = Net.#waiting[0];
		if (question === undefined) return;
		const numeric = native("xs_net_numeric").call(this, question.name);
		const answer = numeric ?? native("xs_net_lookup").call(this, question.name);
		if (answer === "never") return;
		Timer.set(
			() => {
				try {
					question.callback(question.name, answer);
				} finally {
					Net.#waiting.shift();
					Net.#next();
				}
			},
			numeric !== undefined ? 0 : answer === undefined ? UNKNOWN_MS : ANSWER_MS,
		);
	}
}

export default Net;
