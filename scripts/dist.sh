#!/usr/bin/env bash
# Arranges release binaries as SAM's CodeUri wants them: OUT/<function>/bootstrap. The chat function also serves
# the whole contract, which the runner prints.
#
#   scripts/dist.sh BINARIES RUNNER OUT
set -euo pipefail

binaries="$1"
runner="$2"
out="$3"
for function in chat embedding prediction batch-prediction; do
    mkdir -p "$out/$function"
    install -m 755 "$binaries/$function" "$out/$function/bootstrap"
    echo "dist: $(du -m "$out/$function/bootstrap" | cut -f 1) MB $out/$function/bootstrap"
done
"$runner" openapi >"$out/chat/openapi.json"
