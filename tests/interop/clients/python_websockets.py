"""PyPI websockets against the server: python_websockets.py URL"""
from contextlib import ExitStack

import websockets
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import checks


class Client:
    def __init__(self, url):
        self.ws = ExitStack().enter_context(connect(url, open_timeout=20, close_timeout=20))

    def send(self, message):
        self.ws.send(message)

    def receive(self):
        return self.ws.recv(timeout=20)

    def fragments(self, parts):
        self.ws.send(parts)

    def ping(self, payload):
        if not self.ws.ping(payload).wait(20):
            raise TimeoutError("no pong with this payload")
        return payload

    def close(self, code, reason):
        self.ws.close(code, reason)
        return self.received()

    def closed(self):
        try:
            raise AssertionError(f"a message: {self.ws.recv(timeout=20)!r}")
        except ConnectionClosed:
            return self.received()

    def received(self):
        frame = self.ws.protocol.close_rcvd
        return frame and (frame.code, frame.reason)


checks.run(f"PyPI websockets {websockets.__version__}", Client)
