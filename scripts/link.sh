#!/usr/bin/env bash
# Puts the runner and the models where commands that are typed in the checkout look for them: .mandi/bin and
# .mandi/models. A folder of models that is there already stays.
#
#   scripts/link.sh RUNNER MODELS
set -euo pipefail

mkdir -p .mandi/bin
ln -sfn "$1" .mandi/bin/mandi
if [ -L .mandi/models ] || [ ! -e .mandi/models ]; then
    ln -sfn "$2" .mandi/models
fi
