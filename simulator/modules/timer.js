/*
 * Stand-in for Moddable's "timer".
 */
class Timer {
	static set(callback, delay, repeat) {
		return native("xs_timer_set").call(this, callback, delay, repeat);
	}
	static repeat(callback, delay) {
		return native("xs_timer_repeat").call(this, callback, delay);
	}
	static schedule(id, delay, repeat) {
		return native("xs_timer_schedule").call(this, id, delay, repeat);
	}
	static clear(id) {
		return native("xs_timer_clear").call(this, id);
	}
	static delay(ms) {
		return native("xs_timer_delay").call(this, ms);
	}
}

export default Timer;
