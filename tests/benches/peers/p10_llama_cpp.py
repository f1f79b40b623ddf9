#!/usr/bin/env python3
"""The peer of P10: llama.cpp, from the PyPI package xllamacpp.

    p10_llama_cpp.py MODEL CONTENT THREADS OUTPUT_TOKENS RUNS

Asks the same user message through the same chat template as ours, greedily, without its prompt cache. Prints JSON:
tokens of the prompt, and the best of the runs: seconds to the first token, and tokens a second after it, both by
llama.cpp's own clock.
"""

import json
import os
import sys

import environment

PACKAGES = ["xllamacpp==2026.10.11549"]
TEMPLATE = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
)


def main():
    import xllamacpp

    model, content, threads, output_tokens, runs = sys.argv[1:6]
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 2048
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = int(threads)
    params.cpuparams_batch.n_threads = int(threads)
    params.port = 0
    params.verbosity = -1
    # The server logs to standard output, which is the caller's.
    answer = os.dup(1)
    os.dup2(2, 1)
    server = xllamacpp.Server(params)
    request = {
        "prompt": TEMPLATE.format(content=content),
        "n_predict": int(output_tokens),
        "temperature": 0,
        "cache_prompt": False,
        "ignore_eos": True,
    }
    timings = [server.handle_completions(request)["timings"] for _ in range(int(runs))]
    best = {
        "input_tokens": timings[0]["prompt_n"],
        "first_token_s": min(run["prompt_ms"] for run in timings) / 1e3,
        "tokens_a_second": max(run["predicted_per_second"] for run in timings),
    }
    os.write(answer, json.dumps(best).encode())


if __name__ == "__main__":
    environment.enter("p10", PACKAGES)
    main()
