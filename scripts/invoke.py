#!/usr/bin/env python3
"""Sends API Gateway events to a function's binary under the Lambda runtime interface emulator.

    invoke.py FUNCTION EVENT       prints the answer to one event file
    invoke.py FUNCTION --check     sends every event of events/FUNCTION and compares with *.expected.json

An event holds `{{token:TENANT,ROLE}}` where a token belongs, because tokens expire, `{{answer:EVENT,FIELD}}` where
a field of the answer to an event before it belongs, such as an id, and `{{tenant:TENANT}}` where a tenant's name does.
An expectation is `{status, headers?, body?, after?, objects?}`: `body` is a subset of the answer, in which "<id>",
"<time>", "<number>", "<text>" and "<any>" stand for values of that kind, `after` names events to send first, also those
of another function (`../prediction/deploy.json`), and `objects` are files to put into a tenant's folder before, as
`{tenant: {key: text}}`. An event with a `task` is one of a state machine; its status is 200, or 500 when it failed, and
then its body is `{errorType, errorMessage}`.

Run it with the Python of the tests' environment: `make invoke FUNCTION=chat EVENT=events/chat/health.json`.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

import rig

TOKEN = re.compile(r"\{\{token:([a-z0-9_-]+),([a-z]+)\}\}")
ANSWER = re.compile(r"\{\{answer:([a-z0-9-]+\.json),([a-z_]+)\}\}")
# lambda_http ends the metadata of a streamed answer with eight zero bytes.
PRELUDE_END = b"\0" * 8
TENANT = re.compile(r"\{\{tenant:([a-z0-9_-]+)\}\}")
MATCHERS = {
    "<id>": lambda value: isinstance(value, str) and re.fullmatch(r"[a-z]+_[0-9a-f]{32}", value),
    "<time>": lambda value: isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value),
    "<number>": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "<text>": lambda value: isinstance(value, str) and value != "",
    "<any>": lambda value: True,
}


def load_event(path, secret, suffix, answers):
    """The event with fresh tokens and fields of the answers so far. `suffix` goes behind each tenant, so that events do
    not see each other's data."""
    text = Path(path).read_text(encoding="utf-8")
    text = ANSWER.sub(lambda match: str(answers[match[1]][match[2]]), text)
    text = TENANT.sub(lambda match: match[1] + suffix, text)
    return json.loads(TOKEN.sub(lambda match: rig.token(secret, match[1] + suffix, match[2]), text))


def parse_answer(raw):
    """Status, headers and body of a streamed or a buffered answer."""
    head, separator, body = raw.partition(PRELUDE_END)
    if separator:
        metadata = json.loads(head)
    else:
        metadata = json.loads(raw)
        if "statusCode" not in metadata:
            raise RuntimeError(f"the function failed: {raw.decode(errors='replace')}")
        body = (metadata.get("body") or "").encode()
    headers = dict(metadata.get("headers") or {})
    for name, values in (metadata.get("multiValueHeaders") or {}).items():
        headers[name] = values[0] if len(values) == 1 else values
    return metadata["statusCode"], {name.lower(): value for name, value in headers.items()}, body


def parse_task(raw):
    """The answer of a task, as if it had come by HTTP."""
    answer = json.loads(raw)
    failed = isinstance(answer, dict) and "errorType" in answer
    return 500 if failed else 200, {}, raw


def differences(expected, found, place=""):
    """Where `found` lacks what `expected` asks for."""
    if isinstance(expected, str) and expected in MATCHERS:
        return [] if MATCHERS[expected](found) else [f"{place}: expected {expected}, found {found!r}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        gone = [f"{place}/{name}: missing" for name in expected if name not in found]
        below = (differences(expected[name], found[name], f"{place}/{name}") for name in expected if name in found)
        return gone + [line for lines in below for line in lines]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{place}: expected {len(expected)} items, found {len(found)}"]
        pairs = enumerate(zip(expected, found))
        return [line for at, (want, have) in pairs for line in differences(want, have, f"{place}/{at}")]
    return [] if expected == found else [f"{place}: expected {expected!r}, found {found!r}"]


def decoded(body):
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def compare(expectation, answer):
    status, headers, body = answer
    lines = differences(expectation["status"], status, "status")
    for name, value in expectation.get("headers", {}).items():
        lines += differences(value, headers.get(name.lower()), f"headers/{name}")
    if "body" in expectation:
        lines += differences(expectation["body"], decoded(body), "body")
    return lines


def expectation_of(event_path):
    """What is expected of an event; nothing of one that stands alone."""
    path = event_path.with_suffix(".expected.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


class Functions:
    """The functions by name; one that is needed for events before is started when it is first needed."""

    def __init__(self, aws, secret, binary):
        self.aws, self.secret, self.folder = aws, secret, binary.parent
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for function in self.running.values():
            function.__exit__()

    def of(self, path):
        name = path.resolve().parent.name
        if name not in self.running:
            binary = self.folder / name
            if not binary.is_file():
                sys.exit(f"invoke: {binary} is not built; run: cargo build -p mandi-{name}")
            self.running[name] = rig.Function(binary, rig.function_environment(self.aws, self.secret))
        return self.running[name]

    def send(self, path, suffix=""):
        """Puts the files and sends the events that have to come before, then sends this one."""
        expectation = expectation_of(path)
        for tenant, files in expectation.get("objects", {}).items():
            for key, text in files.items():
                self.aws.put_file(tenant + suffix, key, text)
        answers = {}
        for name in [*expectation.get("after", []), path.name]:
            one = path.parent / name
            event = load_event(one, self.secret, suffix, answers)
            raw = self.of(one).invoke(event)
            answer = parse_task(raw) if "task" in event else parse_answer(raw)
            answers[one.name] = decoded(answer[2])
        return answer

    def output(self):
        return "\n".join(f"--- {name} ---\n{one.output()[-4000:]}" for name, one in self.running.items())


def show(answer):
    status, headers, body = answer
    print(f"HTTP {status}")
    for name, value in sorted(headers.items()):
        print(f"{name}: {value}")
    found = decoded(body)
    print("\n" + (found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2)))


def check_all(functions, paths):
    faults = 0
    for place, path in enumerate(paths):
        if not expectation_of(path):
            faults += 1
            print(f"FAIL {path.relative_to(rig.ROOT)}\n     there is no {path.stem}.expected.json beside it")
            continue
        answer = functions.send(path, f"-{place}")
        lines = compare(expectation_of(path), answer)
        print(f"{'ok  ' if not lines else 'FAIL'} {path.relative_to(rig.ROOT)}")
        if lines:
            faults += 1
            print("     " + "\n     ".join(lines))
            print("     answer: " + answer[2].decode(errors="replace")[:600])
    print(f"{len(paths) - faults} of {len(paths)} events answered as expected")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("function")
    parser.add_argument("event", nargs="?", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--binary", type=Path, help="the binary, if not the debug build")
    arguments = parser.parse_args()
    if arguments.check == bool(arguments.event):
        parser.error("name one event, or --check")

    target = Path(os.environ.get("CARGO_TARGET_DIR", rig.ROOT / "target"))
    binary = arguments.binary or target / "debug" / arguments.function
    if not binary.is_file():
        sys.exit(f"invoke: {binary} is not built; run: cargo build -p mandi-{arguments.function}")
    secret = rig.new_secret()
    with rig.Aws() as aws, Functions(aws, secret, binary) as functions:
        try:
            if arguments.check:
                folder = rig.ROOT / "events" / arguments.function
                paths = sorted(path for path in folder.glob("*.json") if not path.name.endswith(".expected.json"))
                sys.exit(1 if check_all(functions, paths) else 0)
            show(functions.send(arguments.event))
        except (RuntimeError, ValueError, OSError) as error:
            sys.exit(f"invoke: {error}\n{functions.output()}")


if __name__ == "__main__":
    main()
