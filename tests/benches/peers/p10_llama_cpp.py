#!/usr/bin/env python3
"""The peer of P10: llama.cpp, from the PyPI package xllamacpp.

    p10_llama_cpp.py MODEL CONTENT THREADS OUTPUT_TOKENS RUNS

Asks the same user message through the same chat template as ours, greedily, without its prompt cache. Prints JSON:
tokens of the prompt, and the best of the runs: seconds to the first token, and tokens a second after it, both by
llama.cpp's own clock. It runs itself again in a virtual environment that it makes.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv

PACKAGES = ["xllamacpp==2026.10.11549"]
TEMPLATE = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
)


def in_environment():
    folder = os.path.join(tempfile.gettempdir(), "mandi-p10-venv")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(os.path.join(folder, "complete")):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, stdout=sys.stderr)
        open(os.path.join(folder, "complete"), "w").close()
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:], "--inside"])


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
    main() if sys.argv[-1] == "--inside" else in_environment()
