/*
 * Stand-in for Moddable's "embedded:storage/key-value" on the ESP32 (NVS).
 */
class Storage extends Native("xs_key_value_destructor") {
	constructor(options) {
		super();
		native("xs_key_value_open").call(this, options);
	}
	close() {
		native("xs_key_value_close").call(this);
	}
	read(key, buffer) {
		return native("xs_key_value_read").call(this, key, buffer);
	}
	write(key, value) {
		native("xs_key_value_write").call(this, key, value);
	}
	delete(key) {
		native("xs_key_value_delete").call(this, key);
	}
	get format() {
		return native("xs_key_value_get_format").call(this);
	}
	set format(format) {
		native("xs_key_value_set_format").call(this, format);
	}
	[Symbol.iterator]() {
		return new StorageIterator(this);
	}
}

class StorageIterator extends Native("xs_key_value_iterator_destructor") {
	constructor(storage) {
		super();
		native("xs_key_value_iterator_open").call(this, storage);
	}
	next() {
		return native("xs_key_value_iterator_next").call(this);
	}
	return() {
		return native("xs_key_value_iterator_return").call(this);
	}
}

export default Object.freeze({
	open(options) {
		return new Storage(options);
	},
});
