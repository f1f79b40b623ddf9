#!/usr/bin/env bash
# Builds everything and fails when a lint of our own crates speaks up.
#
# clippy-driver compiles our crates in every build (.cargo/config.toml), and Cargo shows the warnings of what
# is built already again. So this makes the same files as a plain build, and `make run` and `make test` share
# them; `-D warnings` as a flag would compile our crates a second time.
set -euo pipefail

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
cargo build --workspace --all-targets "$@" 2>&1 | tee "$log"
if grep -qE '^warning: .* generated [0-9]+ warning' "$log"; then
    echo "lint: warnings count as errors; see above" >&2
    exit 1
fi
