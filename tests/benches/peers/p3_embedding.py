#!/usr/bin/env python3
"""The peer of P3: MiniLM-L6 in ONNX Runtime, the way fastembed uses it.

    p3_embedding.py MODELS TEXTS THREADS

Texts are tokenised and run in batches, in the order given, padded to the longest of the batch; the vectors are the
normalised means over the tokens. TEXTS is a JSON file, name -> list of texts; `single` has one text, which is run by
itself. Prints JSON: for each name the seconds that all texts take (of the single text, the median of its runs), and
the first vectors for a comparison.

The graphs are built from the same weights: the plain export, and the form that ONNX Runtime's transformer optimiser
gives BERT. For each name the quicker of the two counts, with the better batch size of 256 and 32, as the first texts
tell.
"""

import json
import os
import sys
import tempfile
import time

import environment

HERE = os.path.dirname(os.path.abspath(__file__))
GRAPHS = os.path.join(HERE, "..", "..", "..", "layers", "inference", "tests", "fixtures")
PACKAGES = ["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.31.1", "safetensors==0.8.0", "tokenizers==0.23.3"]
MAX_TOKENS = 256
TRIAL_TEXTS = 256
REPEATS = 200


def main(models, texts, threads):
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    sys.path.insert(0, GRAPHS)
    import bert_onnx

    tokenizer = Tokenizer.from_file(f"{models}/minilm-l6/tokenizer.json")
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    sessions = []
    with tempfile.TemporaryDirectory() as temporary:
        path = f"{temporary}/minilm.onnx"
        for fused in [False, True]:
            bert_onnx.build(bert_onnx.minilm_weights(f"{models}/minilm-l6"), 6, path, fused=fused)
            sessions.append(onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))

    def embed(session, batch):
        encodings = tokenizer.encode_batch(batch)
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = session.run(None, inputs)[0]
        kept = mask[:, :, None].astype(np.float32)
        means = (hidden * kept).sum(axis=1) / kept.sum(axis=1)
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def seconds(texts, session, batch):
        begin = time.perf_counter()
        for first in range(0, len(texts), batch):
            embed(session, texts[first : first + batch])
        return time.perf_counter() - begin

    result = {}
    for name, texts in texts.items():
        vectors = embed(sessions[0], texts[:8])
        if name == "single":
            runs = [sorted(seconds(texts, session, 1) for _ in range(REPEATS)) for session in sessions]
            taken = min(run[REPEATS // 2] for run in runs)
        else:
            ways = [(session, batch) for session in sessions for batch in [256, 32]]
            best = min(ways, key=lambda way: seconds(texts[:TRIAL_TEXTS], *way))
            taken = seconds(texts, *best)
        result[name] = {"seconds": taken, "vectors": [[float(value) for value in vector] for vector in vectors]}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    environment.enter("p3", PACKAGES, RAYON_NUM_THREADS=sys.argv[3])
    with open(sys.argv[2], encoding="utf-8") as file:
        main(sys.argv[1], json.load(file), int(sys.argv[3]))
