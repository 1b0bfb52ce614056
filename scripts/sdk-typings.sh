#!/usr/bin/env bash
# Checks src/ against the typings of the Moddable SDK itself, as mcconfig does file by file when it builds: those in typings/
# are this project's own words. Called by npm run check. Passes with a line where there is no SDK.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${MODDABLE:-}" ]; then
	echo "typings of the SDK: not checked, MODDABLE is not set"
	exit
fi
tools="$MODDABLE/build/bin/lin/release"
[ "$(uname)" = Darwin ] && tools="$MODDABLE/build/bin/mac/release"
export PATH="$PWD/node_modules/.bin:$tools:$PATH"
if ! command -v mcconfig >/dev/null; then
	echo "typings of the SDK: not checked, its tools are not built (docs/device.md §1)"
	exit
fi

# Without -m mcconfig builds nothing and needs no ESP-IDF; it only writes down where each module's typings are.
folder="build/sdk-typings"
rm -rf "$folder"
mkdir -p "$folder"
mcconfig -p esp32/esp32c3 -o "$PWD/$folder" manifest.json
base=$(find "$PWD/$folder" -name tsconfig-base.json)
[ -n "$base" ] || { echo "typings of the SDK: mcconfig wrote no tsconfig-base.json" >&2 && exit 1; }
node -e '
	const [base, source] = process.argv.slice(1);
	const compilerOptions = { noEmit: true, rootDir: "/", sourceMap: false };
	console.log(JSON.stringify({ extends: base, compilerOptions, include: [source] }));
' "$base" "$PWD/src" >"$folder/tsconfig.json"
tsc -p "$folder/tsconfig.json"
echo "typings of the SDK: src/ fits them ($(cat "$MODDABLE/tools/VERSION"))"
