/*
 * Stand-in for Moddable's "embedded:io/socket/udp" over lwip.
 */
class UDP extends Native("xs_udp_destructor") {
	constructor(options) {
		super();
		native("xs_udp_constructor").call(this, options);
	}
	close() {
		native("xs_udp_close").call(this);
	}
	read() {
		return native("xs_udp_read").call(this);
	}
	write(data, address, port) {
		native("xs_udp_write").call(this, data, address, port);
	}
	add(address) {
		native("xs_udp_add").call(this, address);
	}
	remove(address) {
		native("xs_udp_add").call(this, address);
	}
	get format() {
		return "buffer";
	}
}

export default UDP;
