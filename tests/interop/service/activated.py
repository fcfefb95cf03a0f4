#!/usr/bin/env python3
"""activated.py SERVICE DIRECTORY: the example `service` by systemd-socket-activate, which gives it a TCP and a Unix socket.

Prints a line for each check; exit status 1 if one failed. Every wait has an end.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from ports import free_port

PATIENCE = 60


def check(name, is_so, why=""):
    print(f"ok   {name}" if is_so else f"FAIL {name}: {why}", flush=True)
    if not is_so:
        sys.exit(1)


def ask(family, address):
    """The answer to GET /healthz, once somebody listens."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.socket(family) as client:
                client.settimeout(PATIENCE)
                client.connect(address)
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b"".join(iter(lambda: client.recv(4096), b"")).decode()
        except OSError as error:
            if time.monotonic() > end:
                return str(error)
            time.sleep(0.05)


def main():
    program, directory = sys.argv[1:3]
    port = free_port()
    path = os.path.join(os.path.abspath(directory), "hub.sock")
    if os.path.exists(path):
        os.remove(path)
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # An abstract name leaves no file.
    name = f"wshub-activated-{os.getpid()}"
    notices.bind("\0" + name)
    notices.settimeout(PATIENCE)
    with open(os.path.join(directory, "activated.log"), "w") as log:
        process = subprocess.Popen(
            ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", f"--listen={path}", "--fdname=web:proxy",
             "-E", "NOTIFY_SOCKET=@" + name, "-E", "RUST_LOG=info", "-E", "DRAIN_SECONDS=1", program],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        answer = ask(socket.AF_INET, ("127.0.0.1", port))
        check("the TCP socket is served", answer.endswith("\r\n\r\nok\n"), answer)
        answer = ask(socket.AF_UNIX, path)
        check("the Unix socket is served", answer.endswith("\r\n\r\nok\n"), answer)
        check("it says READY=1", notices.recv(256) == b"READY=1")
        process.send_signal(signal.SIGTERM)
        check("it says STOPPING=1", notices.recv(256) == b"STOPPING=1")
        check("it ends", process.wait(timeout=PATIENCE) == 0)
        check("the file of the Unix socket is left to those who made it", os.path.exists(path))
    finally:
        process.kill()
        process.wait()
        notices.close()


main()
