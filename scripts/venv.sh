#!/usr/bin/env bash
# Makes the Python environment of the tests from tests/requirements.txt; does nothing when it is up to date.
#
#   scripts/venv.sh DIR
set -euo pipefail

venv="$1"
wanted="$(dirname "$0")/../tests/requirements.txt"
stamp="$venv/requirements.txt"

if [ -f "$stamp" ] && cmp -s "$wanted" "$stamp"; then
    echo "venv: up to date in $venv"
    exit 0
fi
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --requirement "$wanted"
cp "$wanted" "$stamp"
echo "venv: made in $venv"
