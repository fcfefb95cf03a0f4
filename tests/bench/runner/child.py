"""Children of a measurement: servers and clients that may talk in lines, and what their processor time and memory are."""

import ctypes
import os
import signal
import subprocess
import threading
from pathlib import Path

PATIENCE = 300
PR_SET_PDEATHSIG = 1
TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds: what the processor time is counted in."""


def start(command, core, stdin=subprocess.DEVNULL, **streams):
    """Starts a child, on one core if that is said, that the kernel kills when this process ends, however it ends."""
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def prepare():
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return subprocess.Popen([str(word) for word in command], preexec_fn=prepare, stdin=stdin, **streams)


class Process:
    """A child that talks in lines."""

    def __init__(self, core, command, cwd):
        pipe = subprocess.PIPE
        self.name = Path(str(command[0])).name
        self.child = start(command, core, stdin=pipe, stdout=pipe, text=True, cwd=cwd)
        # A read that waits for ever ends when this kills the child.
        self.alarm = threading.Timer(PATIENCE, self.child.kill)
        self.alarm.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alarm.cancel()
        self.child.kill()
        self.child.wait()

    def line(self, begin):
        line = self.child.stdout.readline().strip()
        if not line.startswith(begin):
            raise RuntimeError(f"{self.name} says {line!r}, not {begin!r}")
        return line[len(begin):].strip()

    def ask(self, text, begin):
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()
        return self.line(begin)

    def cpu(self):
        """Seconds."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def status(self, name):
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])
