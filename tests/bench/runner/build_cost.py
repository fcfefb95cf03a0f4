"""What building an echo server costs: CPU time of a clean build, crates, size."""

import resource
import shutil
import subprocess

from .build import cargo
from .failed import Failed

# cargo's own release profile, not this workspace's: what a user gets.
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "false",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_STRIP": "symbols",
}
# Each with what its library needs and no more: no logger, no TLS, no client of wshub's; tungstenite's cannot be left out.
# Package and program of this workspace.
ECHOES = {"wshub": ("wshub-servers", "wshub-echo"), "tungstenite": ("peer-tungstenite", "tungstenite-echo")}


def measure(root, target):
    """For each echo server its CPU seconds, `cargo tree` lines below it, and stripped KB."""
    costs = {}
    for name, (package, program) in ECHOES.items():
        print(f"build cost: {name}")
        place = target / "build-cost"
        shutil.rmtree(place, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        selected = ["-p", package, "--bin", program]
        cargo(["build", "--release", "--locked", "--quiet", *selected], root / "tests/bench", place, **PROFILE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs[name] = {
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "tree_lines": tree_lines(root / "tests/bench", package),
            "kb": (place / "release" / program).stat().st_size / 1000,
        }
        shutil.rmtree(place)
    return costs


def tree_lines(workspace, package):
    """Without the line of the program itself."""
    command = ["cargo", "tree", "--locked", "-e", "normal", "-p", package]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return len(done.stdout.splitlines()) - 1
