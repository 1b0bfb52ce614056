/*
 * Stand-in for Moddable's "time".
 */
class Time {
	static set(seconds) {
		return native("xs_time_set").call(this, seconds);
	}
	static get ticks() {
		return native("xs_time_ticks").call(this);
	}
	static delta(start, end) {
		return native("xs_time_delta").call(this, start, end);
	}
}

export default Time;
