/*
 * Stand-in for Moddable's "embedded:io/socket/tcp" over lwip.
 */
class TCP extends Native("xs_tcp_destructor") {
	constructor(options) {
		super();
		native("xs_tcp_constructor").call(this, options);
	}
	close() {
		native("xs_tcp_close").call(this);
	}
	read(target) {
		return native("xs_tcp_read").call(this, target);
	}
	write(data) {
		return native("xs_tcp_write").call(this, data);
	}
	get remoteAddress() {
		return native("xs_tcp_get_remoteAddress").call(this);
	}
	get remotePort() {
		return native("xs_tcp_get_remotePort").call(this);
	}
	get format() {
		return native("xs_tcp_get_format").call(this);
	}
	set format(format) {
		native("xs_tcp_set_format").call(this, format);
	}
}

export default TCP;
