"""What building an echo server costs: CPU time of a clean build, crates, size."""

import resource
import shutil
import subprocess

from .build import Failed, cargo

# cargo's own release profile, not this workspace's: what a user gets.
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "false",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_STRIP": "symbols",
}
ECHOES = {
    "wshub": ("tests/bench", ["-p", "wshub-servers", "--bin", "wshub-echo"], "wshub-echo"),
    "wshub, examples/echo.rs": (".", ["--example", "echo"], "examples/echo"),
    "tungstenite": ("tests/bench", ["-p", "peer-tungstenite", "--bin", "tungstenite-echo"], "tungstenite-echo"),
}


def measure(root, target):
    """For each echo server its CPU seconds, `cargo tree` lines below it, and stripped KB."""
    costs = {}
    for name, (workspace, arguments, program) in ECHOES.items():
        print(f"build cost: {name}")
        place = target / "build-cost"
        shutil.rmtree(place, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        cargo(["build", "--release", "--locked", "--quiet", *arguments], root / workspace, place, **PROFILE)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs[name] = {
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "tree_lines": tree_lines(root / workspace, arguments),
            "kb": (place / "release" / program).stat().st_size / 1000,
        }
        shutil.rmtree(place)
    return costs


def tree_lines(workspace, arguments):
    """Without the line of the program itself; an example's package is the library."""
    package = arguments[:2] if arguments[0] == "-p" else []
    command = ["cargo", "tree", "--locked", "-e", "normal", *package]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return len(done.stdout.splitlines()) - bool(package)
