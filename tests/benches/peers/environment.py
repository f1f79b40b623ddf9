"""Peers run in virtual environments of their own, made on the first run and kept in the folder for temporary files."""

import os
import subprocess
import sys
import tempfile
import venv


def enter(name, packages, **variables):
    """Starts the calling script again under a Python that has the packages; returns when it is that Python."""
    folder = os.path.join(tempfile.gettempdir(), f"mandi-{name}-venv")
    if sys.prefix == folder:
        return
    python = os.path.join(folder, "bin", "python")
    complete = os.path.join(folder, "complete")
    if not os.path.exists(complete):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr)
        open(complete, "w").close()
    os.execve(python, [python, *sys.argv], os.environ | variables)
