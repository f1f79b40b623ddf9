#!/usr/bin/env bash
# Says whether Lambda takes each function in OUT with its layer: unzipped, both together may have 250 MiB
# (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
#
#   scripts/deployable.sh OUT
set -euo pipefail

readonly LIMIT=$((250 * 1024 * 1024))
out="$1"

# bytes FOLDER...: what the files in the folders weigh.
bytes() { find "$@" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'; }

# deployable FUNCTION LAYER...
deployable() {
    local function="$1" folder size
    shift
    for folder in "$out/$function" "${@/#/$out/}"; do
        [ -d "$folder" ] || { echo "deployable: $folder is missing; run: make build layer" >&2; exit 1; }
    done
    size="$(bytes "$out/$function" "${@/#/$out/}")"
    if [ "$size" -gt "$LIMIT" ]; then
        echo "deployable: $function has $((size / 1000000)) MB with its layers, over Lambda's 262 MB" >&2
        exit 1
    fi
    echo "deployable: $function, $((size / 1000000)) MB with its layers of Lambda's 262 MB"
}

deployable chat
deployable prediction
deployable batch-prediction
deployable embedding models-layer
