"""Builds what a run needs, with the committed Cargo.lock."""

import os
import shutil
import signal
import subprocess

from . import packages
from .failed import Failed


def cargo(arguments, cwd, target, **environment):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), **environment}
    try:
        # A session of its own, so that its compilers can be ended with it.
        running = subprocess.Popen(["cargo", *arguments], cwd=cwd, env=environment, start_new_session=True)
    except FileNotFoundError:
        raise Failed("cargo is missing: see https://rustup.rs") from None
    try:
        status = running.wait()
    except BaseException:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait()
        raise
    if status:
        raise Failed(f"cargo {' '.join(arguments)}: exit status {status}")


def certificate_files(target):
    return target / "certificate.pem", target / "key.pem"


def make_certificate(target):
    """One for a server called localhost, which signs it itself."""
    certificate, key = certificate_files(target)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]
    try:
        done = subprocess.run([*command, "-out", certificate, "-keyout", key], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed("openssl is missing; it makes the certificate of the family tls") from None
    if done.returncode:
        raise Failed(f"openssl req: {done.stderr.strip()}")


def build(root, target, servers, compressing):
    peers = [name for name in sorted(servers) if (root / "tests/bench/peers" / name / "Cargo.toml").is_file()]
    packages = ["load", "limits", "wshub-servers", *(f"peer-{name}" for name in peers)]
    print(f"building {', '.join(packages)}; the first time takes minutes")
    selected = [word for package in packages for word in ("-p", package)]
    selected += ["--features", "wshub-servers/tls"]
    cargo(["build", "--release", "--locked", "--quiet", *selected], root / "tests/bench", target)
    if compressing:
        selected = ["-p", "wshub-servers", "--features", "deflate", "--bin", "wshub-deflate", "--bin", "wshub-deflate-own"]
        cargo(["build", "--release", "--locked", "--quiet", *selected], root / "tests/bench", target)
        if "npm-ws" in servers:
            npm(root / "tests/bench/peers/npm-ws", target / "npm-ws")


def npm(sources, folder):
    """The sources beside what they need; where npm does not give it there is no such peer, and its row says so."""
    shutil.copytree(sources, folder, dirs_exist_ok=True)
    try:
        packages.npm(folder)
    except (Failed, OSError) as error:
        print(f"no peer of npm: {error}")
