#!/usr/bin/env bash
# Builds the release binaries and runs every bench with its peer, one after the other. Each leaves its figures
# as JSON in OUT; a bench that fails is named at the end and does not stop the others.
#
#   scripts/bench.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
out="${1:-$target/bench}"
release="$target/release"
python="${MANDI_TEST_VENV:?say where the Python environment of the tests is (make bench does)}/bin/python"
mkdir -p "$out"
failed=()

# bench NAME USUALLY COMMAND...: its standard output goes to OUT/NAME.json, and to the terminal.
bench() {
    local name="$1" usually="$2"
    shift 2
    if scripts/step.sh "$name" "$usually" "$@" | tee "$out/$name.txt"; then
        sed -n '/^{/,/^}/p' "$out/$name.txt" >"$out/$name.json"
        rm "$out/$name.txt"
    else
        failed+=("$name")
    fi
}

scripts/step.sh "release build" "5 s; 60 min the first time" \
    cargo build --release -p mandi-chat -p mandi-embedding || exit 1
bench p1-cold-start "1 min" "$python" tests/benches/peers/p1_cold_start.py "$release"
# The benches link the runner's local model too: a build of their own leaves the functions as they are deployed.
scripts/step.sh "release build of the benches" "5 s; 30 min the first time" \
    cargo build --release -p mandi -p mandi-benches --bins || exit 1
bench p3-embedding "5 min" "$release/p3_embedding"
bench p9-first-answer "1 min" "$release/p9_first_answer"
bench p10-language-model "3 min" "$release/p10_language_model"
bench r7-streams "1 min" "$release/r7_streams"
bench p6-search "3 min" "$release/p6_search"
"$release/p6_search" --export "$out/p6-data" &&
    bench p6-search-peer "3 min" "$python" tests/benches/peers/p6_lancedb.py "$out/p6-data"
rm -rf "$out/p6-data"

printf '\nfigures: %s\nmachine: %s, %s cores, Linux %s\n' \
    "$out" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
if [ "${#failed[@]}" -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
