#!/usr/bin/env bash
# Makes a fresh clone ready: npm packages, libmbedtls-dev, XS sources, the simulator. Idempotent, and quick when there
# is nothing to do. Called by npm run setup, start, demo and test. Everything it makes is in node_modules/ and build/.
#
#   scripts/setup.sh            what the demo needs
#   scripts/setup.sh --tests    also what the tests need: the simulator with AddressSanitizer, PostgreSQL, nginx
#   scripts/setup.sh --server   npm packages only, for npm start
set -euo pipefail
cd "$(dirname "$0")/.."

# XS, the JavaScript engine of the device, comes as source in this npm package. Its own dependencies are not needed, so
# it is no dependency of ours: one archive, pinned by content.
readonly XS_PACKAGE="@agoric/xsnap@0.15.0"
readonly XS_INTEGRITY="sha512-ZBm4DZxbtfacxMHVVdJjZi0Y8zOxN77vpu1WwI5RWfPkaRh0aHkz/dVdTGKXalDNzWfz183lljKxlxl3/h0n+A=="
readonly XS_FOLDER="build/xs"

# On standard error: what follows may be asked for JSON on standard output.
say() { printf 'set-up: %s\n' "$*" >&2; }
fail() {
	printf 'set-up: %s\n' "$*" >&2
	exit 1
}

# To whoever asked for set-up alone. Where it comes before a program, that says for itself that it begins.
say_ready() {
	if [ "${npm_lifecycle_event:-setup}" = setup ]; then say "ready"; fi
}

# alive WHAT COMMAND...: says every 25 s that WHAT goes on, until the command ends, and has its status.
alive() {
	local what=$1 status=0 started=$SECONDS ticker
	shift
	# Also ends by itself when this script was killed. Holds neither the lock nor, in its sleep, the output's pipe.
	(while sleep 25 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do say "still $what ($((SECONDS - started)) s)"; done) 9>&- &
	ticker=$!
	"$@" || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	return "$status"
}

want_simulator=yes
want_tests=no
for argument in "$@"; do
	case "$argument" in
	--server) want_simulator=no ;;
	--tests) want_tests=yes ;;
	*) fail "unknown option $argument; there are --tests and --server" ;;
	esac
done

check_node() {
	command -v node >/dev/null || fail "Node is missing. Install Node 20.19 or newer, then run this again."
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
		fail "Node $(node --version) is too old. Install Node 20.19 or newer, then run this again."
	command -v npm >/dev/null || fail "npm is missing. Install it (Debian: apt-get install npm), then run this again."
}

# npm ci first: exactly the lock file. It refuses a lock file in which an optional package for a foreign platform is
# missing (when it was never published); npm install takes that, and still installs only what the lock file pins.
install_packages() {
	if node scripts/packages-installed.mjs; then return; fi
	say "installing npm packages"
	if ! alive "installing npm packages" run_npm; then
		grep 'npm error' build/npm.log | tail -n 5 >&2
		fail "the npm packages were not installed. Is the npm registry in reach? All messages are in build/npm.log"
	fi
	say "npm packages installed"
}

run_npm() {
	npm ci --no-progress >build/npm.log 2>&1 ||
		{ npm install --no-save --no-progress >>build/npm.log 2>&1 && node scripts/packages-installed.mjs; }
}

check_compiler() {
	local tool
	for tool in gcc make tar; do
		command -v "$tool" >/dev/null || fail "$tool is missing. Run: sudo apt-get install build-essential"
	done
}

has_mbedtls() {
	printf '#include <psa/crypto.h>\n' | gcc -E -x c - >/dev/null 2>&1
}

install_mbedtls() {
	if has_mbedtls; then return; fi
	apt_install libmbedtls-dev "Mbed TLS (its header psa/crypto.h and library mbedcrypto)"
	has_mbedtls || fail "libmbedtls-dev is installed, but its header psa/crypto.h is not found"
}

# The server's tests start a server of their own from it, on a free port; a running one is never touched.
install_postgres() {
	if compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null; then return; fi
	apt_install postgresql "PostgreSQL (for the tests)"
}

# deploy/nginx.conf is tested on it, likewise. Debian's is in no user's PATH.
install_nginx() {
	if [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null; then return; fi
	apt_install nginx "nginx (for the tests)"
}

# apt_install PACKAGE WHAT: WHAT is for people whose system has other packages.
apt_install() {
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if ! sudo -n true 2>/dev/null; then
			fail "$2 is missing and this user may not install it. Run: sudo apt-get install $1"
		fi
		as_root=(sudo -n)
	fi
	command -v apt-get >/dev/null || fail "$2 is missing. Install it with this system's tools."
	say "installing $1"
	mkdir -p build
	if ! alive "installing $1" run_apt "$1" "${as_root[@]}"; then
		tail -n 5 build/apt.log >&2
		fail "apt-get could not install $1; its messages are in build/apt.log"
	fi
}

# run_apt PACKAGE [SUDO...]
run_apt() {
	local package=$1
	shift
	{ "$@" apt-get update && "$@" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "$package"; } >build/apt.log 2>&1
}

fetch_xs() {
	local stamp="$XS_FOLDER/integrity"
	if [ "$(cat "$stamp" 2>/dev/null)" = "$XS_INTEGRITY" ]; then return; fi
	say "fetching the sources of XS ($XS_PACKAGE)"
	rm -rf "$XS_FOLDER"
	mkdir -p "$XS_FOLDER"
	local archive
	archive=$(npm pack "$XS_PACKAGE" --pack-destination "$XS_FOLDER" --loglevel=error | tail -n 1) ||
		fail "npm could not fetch $XS_PACKAGE. Is the npm registry in reach?"
	local found
	found="sha512-$(node -e '
		const bytes = require("node:fs").readFileSync(process.argv[1]);
		process.stdout.write(require("node:crypto").createHash("sha512").update(bytes).digest("base64"));
	' "$XS_FOLDER/$archive")"
	[ "$found" = "$XS_INTEGRITY" ] ||
		fail "$XS_PACKAGE is not what it was: its SHA-512 differs from the one pinned in scripts/setup.sh. Not used."
	tar -xzf "$XS_FOLDER/$archive" -C "$XS_FOLDER"
	rm "$XS_FOLDER/$archive"
	printf '%s\n' "$XS_INTEGRITY" >"$stamp"
}

build_simulator() {
	local variant=$1
	local arguments=(-C simulator "VARIANT=$variant" "XS_DIR=$PWD/$XS_FOLDER/package/moddable/xs")
	if make "${arguments[@]}" -q >/dev/null 2>&1; then return; fi
	say "building the simulator ($variant), up to two minutes the first time"
	mkdir -p build
	local started=$SECONDS
	if ! alive "building the simulator" run_make "$variant" "${arguments[@]}"; then
		tail -n 30 "build/simulator-$variant.log" >&2
		fail "the simulator was not built; all messages are in build/simulator-$variant.log"
	fi
	say "simulator built ($variant, $((SECONDS - started)) s)"
}

# run_make VARIANT ARGUMENTS...
run_make() {
	local log="build/simulator-$1.log"
	shift
	make "$@" -j"$(nproc 2>/dev/null || echo 2)" >"$log" 2>&1
}

# One set-up at a time: a second one waits, then finds everything done.
mkdir -p build
if command -v flock >/dev/null; then
	exec 9>build/.setup.lock
	if ! flock -n 9; then
		say "waiting for another set-up in this folder"
		flock 9
	fi
fi

check_node
if [ "$want_simulator" = no ]; then
	install_packages
	say_ready
	exit
fi
check_compiler
# The packages come over the network while the compiler works, which needs none of them. In a process group of their own,
# so that npm, too, ends with this script.
set -m
install_packages &
packages=$!
set +m
trap 'kill -- "-$packages" 2>/dev/null || true' EXIT
install_mbedtls
fetch_xs
build_simulator release
if [ "$want_tests" = yes ]; then
	install_postgres
	install_nginx
	build_simulator asan
fi
wait "$packages" || exit 1
trap - EXIT
say_ready
