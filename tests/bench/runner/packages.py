"""Packages of npm and PyPI below target/, for servers and clients that are measured."""

import shutil
import subprocess
import sys
import time

from .failed import Failed

TIMEOUT = 600


def npm(folder):
    """Those of the folder's package.json, in the versions of its package-lock.json."""
    fetched(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def python(folder, requirements):
    """A Python of its own, with what the file names; made anew where it has something else, or is not whole."""
    mark, wanted = folder / "installed", requirements.read_text()
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=TIMEOUT)
        fetched([folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", requirements])
        mark.write_text(wanted)


def fetched(command, folder=None):
    """Runs what takes from the network, which may fail for a while: three times at most."""
    for pause in (5, 30, 0):
        try:
            subprocess.run(command, cwd=folder, check=True, timeout=TIMEOUT)
            return
        except subprocess.SubprocessError as error:
            print(f"not fetched: {error}", file=sys.stderr, flush=True)
        time.sleep(pause)
    raise Failed(f"{command[0]} failed three times")
