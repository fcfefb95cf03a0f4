"""PyPI python-socketio against the server: python.py URL polling|websocket|upgrade"""
import queue
import sys
from importlib.metadata import version

import socketio

from checking import check, exit_status, same

url, mode = sys.argv[1:3]
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}[mode]
PATIENCE = 60


class Client:
    """A client whose events wait in a queue."""

    def __init__(self, namespace="/", **options):
        self.io = socketio.Client(reconnection=False)
        self.namespace = namespace
        self.events = queue.Queue()
        self.io.on("*", lambda event, *args: self.events.put((event, *args)), namespace=namespace)
        self.io.on("disconnect", lambda reason: self.events.put(("disconnect", reason)), namespace=namespace)
        self.io.on("question", lambda number: 2 * number, namespace=namespace)
        self.io.connect(url, transports=TRANSPORTS, namespaces=[namespace], wait_timeout=PATIENCE, **options)

    def emit(self, event, *args):
        self.io.emit(event, args, namespace=self.namespace)

    def call(self, event, *args):
        return self.io.call(event, args, namespace=self.namespace, timeout=PATIENCE)

    def event(self, name):
        while True:
            event, *args = self.events.get(timeout=PATIENCE)
            if event == name:
                return args


def event_and_answer():
    client = Client()
    same(client.call("echo", 1, "naïve – 漢字 – 😀", {"a": [None]}), (1, "naïve – 漢字 – 😀", {"a": [None]}))
    same(client.event("echo"), [1, "naïve – 漢字 – 😀", {"a": [None]}])
    client.io.disconnect()


def proof():
    client = Client(auth={"token": "abc"})
    same(client.event("auth"), [{"token": "abc"}])
    client.io.disconnect()


def binary():
    client = Client()
    data = bytes(range(256)) * 500
    same(client.call("binary", data, "text"), (data, "text"))
    same(client.event("binary"), [data, "text", [data]])
    client.io.disconnect()


def rooms():
    # Of its own: a client that is asked to disconnect while it still posts says nothing any more, and is a member
    # until its heartbeat is missed.
    room = f"python by {mode}"
    ann, bob = Client(), Client()
    ann.call("join", room)
    bob.call("join", room)
    same(ann.call("say", room, "hello"), 1)
    same(bob.event("said"), [ann.io.get_sid(), "hello"])
    bob.call("leave", room)
    same(ann.call("say", room, "anybody"), 0)
    ann.io.disconnect()
    bob.io.disconnect()


def all_come():
    client = Client()
    client.emit("count", 2000)
    # The client has each message taken by a thread of its own: on a busy machine they overtake each other there.
    same(sorted(client.event("number") for _ in range(2000)), [[number] for number in range(2000)])
    client.io.disconnect()


def asked_back():
    client = Client()
    client.emit("ask me", 5000)
    same(client.event("answered"), [42])
    client.io.disconnect()


def namespaces():
    client = Client("/custom")
    same(client.call("echo", 1), 1)
    client.io.disconnect()


def refusal():
    try:
        Client("/admin")
    except socketio.exceptions.ConnectionError:
        pass
    else:
        raise AssertionError("it was let in")
    client = Client("/admin", auth={"token": "sesame"})
    same(client.event("early"), ["sent before the welcome"])
    client.io.disconnect()


def kicked():
    client = Client()
    client.emit("kick me")
    client.event("disconnect")


def heartbeat():
    client = Client()
    client.io.sleep(3)
    same(client.call("echo", 1), 1)
    client.io.disconnect()


print(f"PyPI python-socketio {version('python-socketio')}, {mode}")
for name, step in [
    ("event and answer", event_and_answer), ("proof", proof), ("binary", binary), ("rooms", rooms), ("all of 2,000", all_come),
    ("asked back", asked_back), ("namespaces", namespaces), ("refusal", refusal), ("kicked", kicked), ("heartbeat", heartbeat),
]:
    check(name, step)
sys.exit(exit_status())
