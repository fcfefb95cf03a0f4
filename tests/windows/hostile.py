"""Peers that reset, end half, stall or lie, against the example echo: hostile.py ADDRESS PID

Says how each is answered, a line for each: so that two servers can be compared. PID is the first process of the server, or
one around it; its threads and open descriptors have to be as many at the end as at the beginning. At last PID gets SIGTERM, and
what the open connections are told is said, too."""
import os
import signal
import socket
import struct
import sys
import time

host, port = sys.argv[1].rsplit(":", 1)
pid = int(sys.argv[2])
PATIENCE = 60
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(first, payload, length=None):
    """A masked frame, its mask zero."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first, 0xFE]) + struct.pack(">H", size)
    else:
        head = bytes([first, 0xFF]) + struct.pack(">Q", size)
    return head + bytes(4) + payload


def dial():
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def opened():
    stream = dial()
    stream.sendall(UPGRADE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        assert byte, f"no WebSocket: {head!r}"
        head += byte
    return stream


def reset(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def exactly(stream, size):
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise EOFError(data)
        data += part
    return data


def next_frame(stream):
    first, size = exactly(stream, 2)
    if size == 126:
        (size,) = struct.unpack(">H", exactly(stream, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", exactly(stream, 8))
    return first, exactly(stream, size)


def told(stream):
    """What comes up to the end, pings left out."""
    seen = []
    try:
        while True:
            first, payload = next_frame(stream)
            if first == 0x88:
                seen.append(f"close {int.from_bytes(payload[:2], 'big')}")
            elif first != 0x89:
                seen.append(f"{len(payload)} bytes")
    except EOFError as end:
        seen.append("end" if not end.args[0] else "end within a frame")
    except ConnectionError:
        # What the peer has sent and nobody read may turn the end into a reset.
        seen.append("end")
    stream.close()
    return ", ".join(seen)


def answered(request, half=False):
    """The status of the answer, and whether it ends."""
    stream = dial()
    stream.sendall(request)
    if half:
        stream.shutdown(socket.SHUT_WR)
    data = b""
    try:
        while part := stream.recv(65536):
            data += part
    except ConnectionError:
        pass
    return data.split(b"\r\n", 1)[0].decode("latin-1") or "nothing"


def after_upgrade(sent, half=False):
    stream = opened()
    stream.sendall(sent)
    if half:
        stream.shutdown(socket.SHUT_WR)
    return told(stream)


def resets():
    for n in range(200):
        stream = dial() if n % 4 < 2 else opened()
        stream.sendall([b"", UPGRADE[:60], frame(0x81, b"hello"), frame(0x82, b"half", 5000)][n % 4])
        reset(stream)
    return "endured"


def never_reads():
    """It asks for more than any buffer holds, and reads nothing: the server has to let go of it, or wait, and go on."""
    stream = opened()
    stream.settimeout(0.2)
    megabyte, sent = frame(0x82, bytes(1 << 20)), 0
    try:
        while sent < 200:
            stream.sendall(megabyte)
            sent += 1
        outcome = "takes everything"
    except TimeoutError:
        outcome = "no longer read"
    except ConnectionError:
        outcome = "cut off"
    assert echo() == "5 bytes, close 1000, end"
    reset(stream)
    return outcome


def echo():
    return after_upgrade(frame(0x81, b"hello") + frame(0x88, b"\x03\xe8"))


def counts():
    """Threads and descriptors of the innermost process."""
    inner = pid
    while children := open(f"/proc/{inner}/task/{inner}/children").read().split():
        inner = int(children[0])
    return [len(os.listdir(f"/proc/{inner}/{kind}")) for kind in ("task", "fd")]


def settled(before):
    deadline = time.monotonic() + PATIENCE
    while any(now > then for now, then in zip(counts(), before)):
        if time.monotonic() > deadline:
            return f"{counts()} threads and descriptors, {before} before"
        time.sleep(0.1)
    return "as many threads and descriptors as before"


CASES = [
    ("echo", echo),
    ("garbage", lambda: answered(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")),
    ("half a head, then the end", lambda: answered(UPGRADE[:60], half=True)),
    ("nothing, then the end", lambda: answered(b"", half=True)),
    ("a head without an end", lambda: answered(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)),
    ("silence", lambda: answered(b"")),
    ("version 12", lambda: answered(UPGRADE.replace(b"Version: 13", b"Version: 12"), half=True)),
    ("another page", lambda: answered(UPGRADE.replace(b"Host:", b"Origin: http://elsewhere.example\r\nHost:"), half=True)),
    ("a message, then the end", lambda: after_upgrade(frame(0x81, b"hello"), half=True)),
    ("half a message, then the end", lambda: after_upgrade(frame(0x81, b"hello", 10), half=True)),
    ("unmasked", lambda: after_upgrade(b"\x81\x05hello")),
    ("reserved bits", lambda: after_upgrade(frame(0xC1, b"hello"))),
    ("no UTF-8", lambda: after_upgrade(frame(0x81, b"\xff\xff"))),
    ("far too long", lambda: after_upgrade(frame(0x82, b"", 1 << 62))),
    ("a fragment of nothing", lambda: after_upgrade(frame(0x80, b"hello"))),
    ("a long ping", lambda: after_upgrade(frame(0x89, bytes(126)))),
    ("200 resets", resets),
    ("reads nothing", never_reads),
]

# What a first connection leaves for good is there from now on.
echo()
never_reads()
resets()
base = counts()
for name, case in CASES:
    print(f"{name}: {case()}", flush=True)
# It keeps threads for the next burst, but not more than that.
print(f"afterwards: {settled(base)}; echo: {echo()}", flush=True)
streams = [opened() for _ in range(50)]
half = dial()
half.sendall(UPGRADE[:60])
os.kill(pid, signal.SIGTERM)
print(f"shutdown: {sorted({told(stream) for stream in streams})}", flush=True)
