"""A server of wshub with a bridge, processes of Python beside it, and a redis-server: judge.py flask|plain WSHUB FOLDER

`flask`: a server of Flask-SocketIO and an external process with its SocketIO(message_queue=…); `plain`: the same with python-socketio and
RedisManager. WSHUB: the program tests/interop/wshub/src/bin/bridge.rs. This process is the external one.
"""
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version

import socketio

from checking import check, exit_status, same
from ports import free_port

kind, program, folder = sys.argv[1:]
PATIENCE = 60
CHANNEL = {"flask": "flask-socketio", "plain": "socketio"}[kind]
children = []


def wait_until(what, is_so):
    until = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.01)


def start(name, *command):
    log = open(f"{folder}/{name}.log", "ab")
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    children.append(child)
    return child


def port_of(name):
    """Where a server listens, once it says so."""
    said = []

    def says():
        with open(f"{folder}/{name}.log") as log:
            said[:] = re.findall(r"^listening on ws://127\.0\.0\.1:(\d+)/$", log.read(), re.MULTILINE)
        return said

    wait_until(f"{name} listens", says)
    return int(said[0])


class RedisServer:
    """At a port: Flask-SocketIO takes no socket of Unix for a Redis."""

    def __init__(self):
        if not shutil.which("redis-server"):
            sys.exit("redis-server is missing: apt-get install redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        self.process = start("redis", "redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", folder)
        wait_until("redis-server answers", self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


class Client:
    """A client whose events wait in a queue."""

    def __init__(self, port):
        self.io = socketio.Client(reconnection=False)
        self.events = queue.Queue()
        self.io.on("*", lambda event, *args: self.events.put((event, *args)))
        self.io.on("disconnect", lambda reason: self.events.put(("disconnect", reason)))
        self.io.on("question", lambda number, *_: 2 * number)
        self.io.connect(f"http://127.0.0.1:{port}", transports=["websocket"], wait_timeout=PATIENCE)
        self.id = self.io.get_sid()

    def emit(self, event, *args):
        self.io.emit(event, args)

    def call(self, event, *args):
        return self.io.call(event, args, timeout=PATIENCE)

    def next(self):
        return self.events.get(timeout=PATIENCE)

    def before(self, last):
        """The data of all events in front of the one that has this."""
        seen = []
        while True:
            event, *args = self.next()
            if args == [last]:
                return seen
            seen.append(args[0] if len(args) == 1 else args)


def check_and_empty(name, step):
    check(name, step)
    # What is left of it comes in front of this.
    process.emit("ev", name)
    for client in (ann, bob, carl):
        client.before(name)


def from_a_process():
    ann.call("join", "r1")
    bob.call("join", "r2")
    process.emit("ev", "all")
    process.emit("ev", "r1", to="r1")
    process.emit("ev", "both", to=["r1", "r2"])
    process.emit("ev", "not ann", skip_sid=ann.id)
    process.emit("ev", "nobody", skip_sid=[ann.id, bob.id])
    process.emit("ev", "bob", to=bob.id)
    process.emit("ev", {"a": [None, 1.5, "naïve – 漢字 – 😀"]})
    process.emit("ev", (1, "two", [3]))
    process.emit("ev", [1, 2])
    process.emit("ev", "end")
    data = [{"a": [None, 1.5, "naïve – 漢字 – 😀"]}, [1, "two", [3]], [1, 2]]
    same(ann.before("end"), ["all", "r1", "both", *data])
    same(bob.before("end"), ["all", "both", "not ann", "bob", *data])


def without_data():
    process.emit("ev", None)
    process.emit("ev", ())
    same([ann.next() for _ in range(2)], [("ev",), ("ev",)])


def binary():
    picture = bytes(range(256)) * 500
    process.emit("ev", (picture, {"again": picture}, "text"))
    same(ann.next(), ("ev", picture, {"again": picture}, "text"))


def rooms_by_a_process():
    manager.enter_room(ann.id, "/", "e")
    process.emit("ev", "in", to="e")
    manager.leave_room(ann.id, "/", "e")
    process.emit("ev", "out", to="e")
    manager.enter_room(ann.id, "/", "c")
    manager.enter_room(bob.id, "/", "c")
    process.emit("ev", "open", to="c")
    manager.close_room("c", "/")
    process.emit("ev", "closed", to="c")
    process.emit("ev", "end")
    same(ann.before("end"), ["in", "open"])
    same(bob.before("end"), ["open"])
    same(set(ann.call("rooms")), {ann.id, "r1"})


def in_order():
    for number in range(2000):
        process.emit("ev", number)
    same([ann.next() for _ in range(2000)], [("ev", number) for number in range(2000)])


def from_a_server():
    # Each in a thread of its own there, so one is waited for before the next.
    carl.call("emit", [], [], "all")
    same(ann.next(), ("from python", "all"))
    carl.call("emit", ["r1"], [], "r1")
    carl.call("emit", [], [bob.id], "not bob")
    carl.call("emit", [], [], "end")
    same(ann.before("end"), ["r1", "not bob"])
    same(bob.before("end"), ["all"])


def a_callback():
    carl.emit("ask", carl.id, ann.id)
    same(carl.next(), ("answered", 42))


def a_call():
    carl.emit("call", carl.id, ann.id)
    same(carl.next(), ("called", 44))


def orders_of_a_server():
    carl.emit("order", "enter_room", ann.id, "s")
    wait_until("ann is in", lambda: "s" in ann.call("rooms"))
    carl.emit("order", "leave_room", ann.id, "s")
    wait_until("ann is out", lambda: "s" not in ann.call("rooms"))
    carl.emit("order", "enter_room", ann.id, "s")
    wait_until("ann is in", lambda: "s" in ann.call("rooms"))
    carl.emit("order", "close_room", "s")
    wait_until("the room is closed", lambda: "s" not in ann.call("rooms"))


def a_server_disconnects():
    dora = Client(wshub_port)
    carl.emit("order", "disconnect", dora.id)
    same(dora.next()[0], "disconnect")
    if kind == "flask":
        dora = Client(wshub_port)
        external.server.disconnect(dora.id)
        same(dora.next()[0], "disconnect")


def from_wshub():
    carl.call("join", carl.id, "p")
    ann.emit("emit", [], [], "all")
    same(carl.next(), ("from wshub", "all"))
    ann.emit("emit", ["p"], [], "p")
    ann.emit("emit", ["p", "r1"], [], "both")
    ann.emit("emit", ["r2"], [], "r2")
    ann.emit("emit", [], [carl.id], "not carl")
    ann.emit("emit", [carl.id], [], "carl")
    ann.emit("emit", [], [], {"last": True})
    same(carl.before({"last": True}), ["p", "both", "carl"])
    same(ann.before({"last": True}), ["all", "both", "not carl"])


def binary_from_wshub():
    picture = bytes(range(256)) * 500
    ann.emit("send picture", picture, "text")
    same(carl.next(), ("picture", picture, "text"))


def order_of_wshub():
    ann.emit("count", 2000)
    same([carl.next() for _ in range(2000)], [("number", number) for number in range(2000)])


def wshub_asks():
    ann.emit("ask", carl.id, 10_000)
    same(ann.next(), ("answered", [[42]], None))
    ann.emit("ask", bob.id, 10_000)
    same(ann.next(), ("answered", [[42]], None))
    ann.emit("ask", "nobody", 200)
    same(ann.next(), ("answered", [], "no acknowledgement came in time"))


def orders_of_wshub():
    ann.emit("enter", carl.id, "w")
    ann.emit("emit", ["w"], [], "in")
    ann.emit("leave", carl.id, "w")
    ann.emit("emit", ["w"], [], "out")
    ann.emit("enter", carl.id, "w")
    ann.emit("emit", ["w"], [], "in again")
    ann.emit("close room", "w")
    ann.emit("emit", ["w"], [], "closed")
    ann.emit("emit", [], [], "end")
    same(carl.before("end"), ["in", "in again"])
    dora = Client(python_port)
    ann.emit("disconnect one", dora.id)
    same(dora.next()[0], "disconnect")


def killed():
    redis.kill()
    wait_until("wshub is detached", lambda: not ann.call("state")[0])
    time.sleep(1)
    ann.emit("emit", [], [], "here")
    same(ann.next(), ("from wshub", "here"))
    redis.start()
    wait_until("wshub is attached", lambda: ann.call("state")[0])

    def hears():
        process.emit("ev", "back")
        return not ann.events.empty()

    wait_until("wshub hears a process", hears)

    def is_heard():
        ann.emit("emit", [], [], "back")
        return not carl.events.empty()

    wait_until("a server of Python hears wshub", is_heard)


def nothing_refused():
    _, received, refused, published, unsent = ann.call("state")
    same((refused, unsent), (0, 0))
    if received < 2000 or published < 2000:
        raise AssertionError(f"{received} received, {published} published")


def end(*_):
    sys.exit(1)


signal.signal(signal.SIGTERM, end)
try:
    redis = RedisServer()
    wshub = start("wshub", program, "127.0.0.1:0", redis.url, CHANNEL)
    start("server", sys.executable, os.path.join(os.path.dirname(__file__), "servers.py"), kind, redis.url)
    wshub_port, python_port = port_of("wshub"), port_of("server")
    if kind == "flask":
        import flask_socketio

        process = external = flask_socketio.SocketIO(message_queue=redis.url)
        manager = external.server.manager
        print(f"PyPI Flask-SocketIO {version('flask-socketio')}, python-socketio {version('python-socketio')}")
    else:
        process = manager = socketio.RedisManager(redis.url, write_only=True)
        print(f"PyPI python-socketio {version('python-socketio')}")
    ann, bob, carl = Client(wshub_port), Client(wshub_port), Client(python_port)
    wait_until("wshub is attached", lambda: ann.call("state")[0])
    for name, step in [
        ("a process emits", from_a_process), ("without data", without_data), ("binary", binary), ("rooms by a process", rooms_by_a_process),
        ("2,000 in order", in_order), ("a server emits", from_a_server), ("a callback", a_callback), ("a call", a_call),
        ("orders of a server", orders_of_a_server), ("a server disconnects", a_server_disconnects), ("wshub emits", from_wshub),
        ("binary from wshub", binary_from_wshub), ("2,000 from wshub", order_of_wshub), ("wshub asks", wshub_asks),
        ("orders of wshub", orders_of_wshub), ("nothing refused", nothing_refused), ("Redis killed", killed),
    ]:
        check_and_empty(name, step)
    for client in (ann, bob, carl):
        client.io.disconnect()
    wshub.terminate()
    same(wshub.wait(PATIENCE), 0)
finally:
    for child in children:
        child.kill()
        child.wait()
sys.exit(exit_status())
