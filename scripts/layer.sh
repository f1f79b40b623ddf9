#!/usr/bin/env bash
# Arranges the model files as a Lambda layer: what lies in OUT/models is /opt/models in the function.
# The language model stays out: in AWS a provider answers, and a function with its layers may have 250 MB.
#
#   scripts/layer.sh MODELS OUT
set -euo pipefail

models="$1"
out="$2"
rm -rf "$out"
for model in minilm-l6 reranker; do
    mkdir -p "$out/models/$model"
    cp "$models/$model"/* "$out/models/$model/"
done
echo "layer: $(du -sm "$out" | cut -f 1) MB in $out"
