"""`openssl s_client` against the server: openssl.py URL AUTHORITY

Tells its name, then one line for each check: see tests/interop/support.sh, `checked`."""
import os
import select
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

from checking import check, exit_status, same

url, authority = sys.argv[1:]
port = urlsplit(url).port
UPGRADE = (
    f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
HELLO, HELLO_BACK = b"\x81\x85\0\0\0\0hello", b"\x81\x05hello"
CLOSE, CLOSE_BACK = b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x02\x03\xe8"


class Client:
    """s_client with its output in one stream; `says` waits for a part of it."""

    def __init__(self, *options, trusts=("-CAfile", authority)):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost"]
        command += [*trusts, "-verify_return_error", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = b""

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def says(self, wanted):
        deadline = time.monotonic() + 30
        while wanted not in self.output:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise AssertionError(f"no {wanted!r} in: {self.output[-600:]!r}")
            self.output += data
        self.output = self.output.partition(wanted)[2]

    def ends(self):
        return self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def exchange(client):
    client.send(UPGRADE)
    client.says(b"HTTP/1.1 101 ")
    client.says(b"\r\n\r\n")
    client.send(HELLO)
    client.says(HELLO_BACK)
    client.send(CLOSE)
    client.says(CLOSE_BACK)


def version(option, name):
    with Client(option) as client:
        client.says(b"Verification: OK")
        client.says(name)
    with Client(option, "-quiet") as client:
        exchange(client)
        # After close_notify: without it OpenSSL 3 complains of an unexpected end.
        same(client.ends(), 0)
        assert b"unexpected eof" not in client.process.stdout.read()


def old():
    with Client("-tls1_1", "-cipher", "ALL@SECLEVEL=0") as client:
        client.says(b"SSL alert number")
        same(client.ends(), 1)


def key_updates():
    with Client("-tls1_3") as client:
        client.says(b"Verification: OK")
        for command in [b"k\n", b"K\n", b"K\n"]:
            client.send(command)
            client.says(b"KEYUPDATE")
        client.send(UPGRADE)
        client.says(b"HTTP/1.1 101 ")


def renegotiation():
    with Client("-tls1_2") as client:
        client.says(b"Verification: OK")
        client.send(b"R\n")
        client.says(b"RENEGOTIATING")
        client.says(b"no renegotiation")
    with Client("-tls1_2", "-quiet") as client:  # everybody else goes on
        exchange(client)


def another_authority():
    with Client("-tls1_3", trusts=("-no-CAfile", "-no-CApath", "-no-CAstore")) as client:
        client.says(b"unable to get local issuer certificate")
        same(client.ends(), 1)


def plain_http():
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(UPGRADE)
        answer = b"".join(iter(lambda: plain.recv(65536), b""))
    same(answer[:13], b"HTTP/1.1 400 ")
    assert b"use wss:// in place of ws://" in answer, answer


print(subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.strip())
for name, step in [
    ("TLS 1.2", lambda: version("-tls1_2", b"TLSv1.2")),
    ("TLS 1.3", lambda: version("-tls1_3", b"TLSv1.3")),
    ("TLS 1.1 is refused", old),
    ("key updates", key_updates),
    ("renegotiation is refused", renegotiation),
    ("another authority", another_authority),
    ("plain HTTP", plain_http),
]:
    check(name, step)
sys.exit(exit_status())
