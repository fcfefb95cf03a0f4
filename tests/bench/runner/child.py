"""Children of a measurement: servers and clients that talk in lines, and what their processor time and memory are."""
import os
import subprocess
import threading
from pathlib import Path

PATIENCE = 300
TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A child that talks in lines and ends with this program, on one core if that is said."""

    def __init__(self, core, command, cwd):
        pipe = subprocess.PIPE
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        self.name = Path(str(command[0])).name
        self.child = subprocess.Popen([*pinned, *map(str, command)], cwd=cwd, stdin=pipe, stdout=pipe, text=True)
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
        return (int(fields[11]) + int(fields[12])) / TICK

    def status(self, name):
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])
