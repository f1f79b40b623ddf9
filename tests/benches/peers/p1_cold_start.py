#!/usr/bin/env python3
"""P1: cold starts of the release binaries under Lambda's runtime interface emulator, against a hello-world
function on the same runtime. Prints one JSON object.

    p1_cold_start.py RELEASE_FOLDER [--starts 20]

A cold start is the time from the call that makes the emulator start the function's process to the whole answer.
The functions take turns, so that what else the machine does falls on all of them. Run it with the Python of the
tests' environment.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import invoke  # noqa: E402
import rig  # noqa: E402

# What each is asked first. The floor answers anything.
FIRST_EVENTS = {
    "hello_lambda": "events/chat/health.json",
    "chat": "events/chat/health.json",
    "embedding": "events/embedding/embed-two-texts.json",
    "prediction": "events/prediction/predict.json",
    "batch-prediction": "events/batch-prediction/list.json",
}
# What has to be there before it is asked: another process of the same function does it, ahead of the start.
BEFORE = {"prediction": ["create-model.json", "register-version.json", "deploy.json"]}


def answers_before(functions, name, secret, suffix):
    """Sends what has to come before; the answers by the events' names."""
    answers = {}
    for event in BEFORE.get(name, []):
        path = ROOT / "events" / name / event
        status, _, body = invoke.parse_answer(functions.of(path).invoke(invoke.load_event(path, secret, suffix, answers)))
        if status >= 300:
            sys.exit(f"p1: {name} answered {event} with {status}: {body.decode(errors='replace')}")
        answers[event] = invoke.decoded(body)
    return answers


def cold_start_ms(binary, event, environment):
    with rig.Function(binary, environment) as function:
        started = time.perf_counter()
        status, _, body = invoke.parse_answer(function.invoke(event))
        elapsed_ms = (time.perf_counter() - started) * 1e3
    if status >= 300:
        sys.exit(f"p1: {binary.name} answered {status}: {body.decode(errors='replace')}\n{function.last_output}")
    return elapsed_ms


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    parser.add_argument("--starts", type=int, default=20)
    arguments = parser.parse_args()
    secret = rig.new_secret()
    times = {name: [] for name in FIRST_EVENTS}
    with rig.Aws() as aws, invoke.Functions(aws, secret, arguments.release / "prediction") as functions:
        environment = rig.function_environment(aws, secret) | {"MANDI_LOG": "warn"}
        for start in range(arguments.starts):
            for name, path in FIRST_EVENTS.items():
                # Another tenant each time, or the answer would be the stored one of the same idempotency key.
                answers = answers_before(functions, name, secret, f"-{start}")
                event = invoke.load_event(ROOT / path, secret, f"-{start}", answers)
                times[name].append(cold_start_ms(arguments.release / name, event, environment))
    report = {
        name: {
            "p50_ms": statistics.median(taken),
            "max_ms": max(taken),
            "binary_mb": (arguments.release / name).stat().st_size / 1e6,
        }
        for name, taken in times.items()
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
