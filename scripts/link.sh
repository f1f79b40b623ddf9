#!/usr/bin/env bash
# Puts the runner and the models where commands that are typed in the checkout look for them: .mandi/bin and
# .mandi/models. The runner is this checkout's own, by a hard link where that can be: what another checkout builds into
# the same cache does not take its place. A folder of models that is there already stays.
#
#   scripts/link.sh RUNNER MODELS
set -euo pipefail

mkdir -p .mandi/bin
rm -f .mandi/bin/mandi
cp --link "$1" .mandi/bin/mandi 2>/dev/null || cp "$1" .mandi/bin/mandi
if [ -L .mandi/models ] || [ ! -e .mandi/models ]; then
    ln -sfn "$2" .mandi/models
fi
