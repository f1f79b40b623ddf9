#!/usr/bin/env bash
# Builds the release binaries and runs every bench with its peer, one after the other, into one table: OUT. A bench
# that fails is named at the end and does not stop the others.
#
#   scripts/bench.sh [OUT]
set -uo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
out="${1:-$target/benchmarks.md}"
release="$target/release"
rows="$(mktemp)"
trap 'rm -f "$rows"' EXIT
failed=()

# bench NAME USUALLY [ARGUMENT]...: the rows that it prints go into the table.
bench() {
    local name="$1" usually="$2"
    shift 2
    local title="$name${*:+ $*}"
    scripts/step.sh "$title" "$usually" bash -o pipefail -c 'rows="$1"; shift; "$@" | tee -a "$rows"' bash "$rows" \
        "$release/$name" "$@" || failed+=("$title")
}

scripts/step.sh "release build" "5 s; 45 min the first time" \
    cargo build --release -p mandi-chat -p mandi-embedding -p mandi-prediction -p mandi-batch-prediction || exit 1
# The benches link the runner's local model too: a build of their own leaves the functions as they are deployed.
scripts/step.sh "release build of the benches" "5 s; 15 min the first time" \
    cargo build --release -p mandi -p mandi-benches --bins || exit 1
bench p1_cold_start "1 min"
bench p2_prediction "1 min; 3 min the first time"
bench p3_embedding "10 min"
bench p4_batch "2 min"
# 2 GB of table, and 5 GB in the folder for temporary files.
bench p4_batch "5 min" --rows 10000000
bench p6_search "4 min"
bench p9_first_answer "1 min"
bench p10_language_model "1 min"
bench q7_shap "3 min"
bench r7_streams "1 min"

{
    printf '%s, %s cores, Linux %s, %s, commit %s\n\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        "$(nproc)" "$(uname -r)" "$(date -u +%F)" "$(git describe --always --dirty)"
    printf '| id | what | ours | peer | ours / peer | target | |\n|---|---|---:|---:|---:|---|---|\n'
    grep '^|' "$rows"
} | tee "$out"
printf '\nthe table: %s\n' "$out"
if [ "${#failed[@]}" -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
