"""Builds what a run needs, with the committed Cargo.lock."""

import os
import subprocess


class Failed(Exception):
    """What could not be done, for the user to read."""


def cargo(arguments, cwd, target, **environment):
    try:
        done = subprocess.run(
            ["cargo", *arguments], cwd=cwd, env={**os.environ, "CARGO_TARGET_DIR": str(target), **environment}
        )
    except FileNotFoundError:
        raise Failed("cargo is missing: see https://rustup.rs") from None
    if done.returncode:
        raise Failed(f"cargo {' '.join(arguments)}: exit status {done.returncode}")


def build(root, target, servers):
    peers = [name for name in servers if (root / "tests/bench/peers" / name).is_dir()]
    packages = ["load", "limits", "wshub-servers", *(f"peer-{name}" for name in peers)]
    print(f"building {', '.join(packages)}; the first time takes minutes", flush=True)
    selected = [word for package in packages for word in ("-p", package)]
    cargo(["build", "--release", "--locked", "--quiet", *selected], root / "tests/bench", target)
