#!/usr/bin/env python3
"""container.py SERVICE DIRECTORY: the example `service` as a container has it: process 1, a root that cannot be written to,
64 descriptors, 64 MiB of data. It serves as many as it may, says what to set, and ends at SIGTERM.

Namespaces make the container (unshare of util-linux), limits of the shell the rest. Prints a line for each check; exit
status 1 if one failed. Every wait has an end.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time

PATIENCE = 60
UPGRADE = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
# The tmpfs is where a container may write; the shell becomes the program, which is then process 1.
INSIDE = """mount --make-rprivate / && mount -t tmpfs tmpfs "$2" && mount -o remount,ro,bind / || exit 99
ulimit -n 64; ulimit -d 65536
exec "$0" "$1"
"""


def check(name, is_so, why=""):
    print(f"ok   {name}" if is_so else f"FAIL {name}: {why}", flush=True)
    if not is_so:
        sys.exit(1)


class Container:
    def __init__(self, program, address, writable):
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.getuid() != 0:
            namespaces += ["--user", "--map-root-user"]
        self.log = open(os.path.join(writable, "..", "container.log"), "w")
        environment = dict(os.environ, DRAIN_SECONDS="1", RUST_LOG="info")
        self.process = subprocess.Popen(
            ["unshare", *namespaces, "sh", "-c", INSIDE, program, address, writable],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)

    def said(self):
        with open(self.log.name) as text:
            return text.read()

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = re.search(pattern, self.said())
            if found:
                return found
            time.sleep(0.05)
        check(f"it says {pattern}", False, self.said())

    def first(self):
        """Process 1 of the container, as it is called outside."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return int(children.read().split()[0])

    def peak(self):
        """The most memory that it held, in KiB."""
        with open(f"/proc/{self.first()}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])

    def terminate(self):
        """SIGTERM to process 1; its exit status."""
        os.kill(self.first(), signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


def connect(addr):
    """A client, and its answer: a refusal whole."""
    client = socket.create_connection(addr, timeout=PATIENCE)
    client.sendall(UPGRADE)
    answer = b""
    while not (b" 101 " in answer and b"\r\n\r\n" in answer):
        part = client.recv(4096)
        if not part:
            break
        answer += part
    return client, answer.decode(errors="replace")


def comes_in(addr):
    """Whether a client is let in before long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        client, answer = connect(addr)
        client.close()
        if " 101 " in answer:
            return True
        time.sleep(0.05)
    return False


def main():
    program, directory = sys.argv[1:3]
    writable = os.path.join(os.path.abspath(directory), "run")
    os.makedirs(writable, exist_ok=True)
    container = Container(program, "127.0.0.1:0", writable)
    try:
        found = container.wait_for(r"listening on ws://([^:]+):(\d+)/")
        addr = (found[1], int(found[2]))
        check("it starts with 64 descriptors and 64 MiB", True)
        clients = [connect(addr) for _ in range(80)]
        served = [answer for _, answer in clients if " 101 " in answer]
        refused = [answer for _, answer in clients if " 503 " in answer]
        check("it serves as many as it may, and refuses the others",
              len(served) >= 16 and len(served) + len(refused) == 80, f"{len(served)} and {len(refused)}")
        check("the refusal says what to set", all("ulimit -n" in answer for answer in refused), refused[0])
        for client, _ in clients:
            client.close()
        check("as they leave others come", comes_in(addr))
        peak = container.peak()
        check("it never held more than 64 MiB", peak < 64 << 10, f"{peak} KiB")
        status = container.terminate()
        check("process 1 ends at SIGTERM", status == 0, f"status {status}")
    finally:
        container.process.kill()
        container.process.wait()
    for where, wanted in [("/hub.sock", "Read-only file system"), (os.path.join(writable, "hub.sock"), None)]:
        container = Container(program, where, writable)
        try:
            if wanted:
                status = container.process.wait(timeout=PATIENCE)
                text = container.said()
                check("where nothing can be written it says where else",
                      status == 1 and wanted in text and "tmpfs" in text, text)
            else:
                container.wait_for("listening on a Unix socket")
                check("on a tmpfs a Unix socket is made", True)
                check("process 1 ends again", container.terminate() == 0)
        finally:
            container.process.kill()
            container.process.wait()


main()
