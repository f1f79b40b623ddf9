#!/usr/bin/env bash
# Runs one step of a make target: says what it is and how long it usually takes, and how long it took.
#
#   scripts/step.sh NAME USUALLY COMMAND [ARGUMENT]...
#
# When MANDI_STEPS names a file, a line with name and seconds is added to it; `make test` prints it at its end.
set -uo pipefail

name="$1"
usually="$2"
shift 2
printf '\n==> %s (usually %s)\n' "$name" "$usually"
started="$(date +%s)"
"$@"
status=$?
seconds=$(($(date +%s) - started))
outcome="ok"
[ "$status" -eq 0 ] || outcome="failed with exit code $status"
printf '<== %s: %s, %d min %02d s\n' "$name" "$outcome" $((seconds / 60)) $((seconds % 60))
if [ -n "${MANDI_STEPS:-}" ]; then
    printf '%-32s %5d s  %s\n' "$name" "$seconds" "$outcome" >>"$MANDI_STEPS"
fi
exit "$status"
