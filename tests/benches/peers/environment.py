"""Peers run in virtual environments of their own, made on the first run and kept in the folder for temporary files."""

import os
import subprocess
import sys
import tempfile
import venv

# The pinned packages of the peers that share an environment.
REQUIREMENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "requirements.txt")


def pinned(path=REQUIREMENTS):
    """The packages of a list, one a line."""
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line and not line.startswith("#")]


def enter(name, packages, **variables):
    """Starts the calling script again under a Python that has the packages; returns when it is that Python."""
    folder = os.path.join(tempfile.gettempdir(), f"mandi-{name}-venv")
    if sys.prefix == folder:
        return
    python = os.path.join(folder, "bin", "python")
    complete = os.path.join(folder, "complete")
    if not is_made_of(complete, packages):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr)
        with open(complete, "w", encoding="utf-8") as file:
            file.write("\n".join(packages))
    os.execve(python, [python, *sys.argv], os.environ | variables)


def is_made_of(complete, packages):
    """Whether the environment has these packages, and no older ones."""
    if not os.path.exists(complete):
        return False
    with open(complete, encoding="utf-8") as file:
        return file.read() == "\n".join(packages)
