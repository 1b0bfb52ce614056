/*
 * A serial cable: a pseudo-terminal whose other end is this program's standard input and output. Its path is the first
 * line of standard error. Built and started by pty.ts. It ends with its standard input; who has the path open then sees
 * the port go away.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static int copy(int from, int to)
{
	char bytes[4096];
	ssize_t count = read(from, bytes, sizeof bytes);
	if (count <= 0) return 0;
	for (ssize_t done = 0; done < count;) {
		ssize_t written = write(to, bytes + done, (size_t)(count - done));
		if (written <= 0) return 0;
		done += written;
	}
	return 1;
}

int main(void)
{
	int end = posix_openpt(O_RDWR | O_NOCTTY);
	if (end < 0 || grantpt(end) != 0 || unlockpt(end) != 0) return 1;
	/* Kept open, so that reading goes on while nobody has the port open; raw, as a wire is. */
	int port = open(ptsname(end), O_RDWR | O_NOCTTY);
	struct termios settings;
	if (port < 0 || tcgetattr(port, &settings) != 0) return 1;
	cfmakeraw(&settings);
	if (tcsetattr(port, TCSANOW, &settings) != 0) return 1;
	fprintf(stderr, "%s\n", ptsname(end));
	struct pollfd polled[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = end, .events = POLLIN}};
	for (;;) {
		if (poll(polled, 2, -1) < 0) return 1;
		if (polled[0].revents != 0 && !copy(STDIN_FILENO, end)) return 0;
		if (polled[1].revents != 0 && !copy(end, STDOUT_FILENO)) return 0;
	}
}
