#!/usr/bin/env bash
# Checks definitions of state machines with an outside validator: asl-validator of npm, in a pinned version.
#
#   scripts/asl_validate.sh FILE...    without files: infra/statemachines/*.asl.json and the cases of layers/states
set -euo pipefail

readonly VERSION="4.0.0"
root="$(cd "$(dirname "$0")/.." && pwd)"
home="${MANDI_ASL_VALIDATOR:-$HOME/.cache/mandi/asl-validator-$VERSION}"

if [ ! -x "$home/node_modules/.bin/asl-validator" ]; then
    echo "asl-validator: installing version $VERSION (about 10 s)"
    mkdir -p "$home"
    npm install --silent --no-fund --no-audit --prefix "$home" "asl-validator@$VERSION" >/dev/null
fi

if [ "$#" -gt 0 ]; then
    arguments=()
    for file in "$@"; do arguments+=(--json-path "$file"); done
    exec "$home/node_modules/.bin/asl-validator" "${arguments[@]}"
fi
NODE_PATH="$home/node_modules" exec node "$root/scripts/asl_validate.mjs" "$root" "$home"
