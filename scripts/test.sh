#!/usr/bin/env bash
# All set-up, all checks, all tests. Called by npm test. Arguments go to vitest: npm test -- host-tests/scenarios
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh --tests
export PATH="$PWD/node_modules/.bin:$PATH"
if [ "$#" -eq 0 ]; then npm run --silent check; fi
exec vitest run "$@"
