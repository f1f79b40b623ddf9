#!/usr/bin/env bash
# Runs the tests of the workspace, or of what the arguments choose (`-p mandi-core`): with cargo-nextest when
# it is there, else with cargo alone. Examples in the documentation are run in both cases.
set -euo pipefail

[ "$#" -gt 0 ] || set -- --workspace
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast --no-tests pass "$@"
    cargo test --doc --quiet "$@"
else
    cargo test --no-fail-fast "$@"
fi
