"""PyPI websockets as a server: python_websockets.py; its paths are those of tests/interop/servers/part.sh"""
import os
import signal

import websockets
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve


def answer(ws):
    path = ws.request.path
    try:
        for message in ws:
            if path.startswith("/close/"):
                ws.close(int(path.removeprefix("/close/")), message)
            elif path == "/fragments":
                ws.send([message[:3], "", message[3:]])
            elif path == "/ping":
                # The event belongs to the pong with this payload.
                if not ws.ping(message).wait(20):
                    raise TimeoutError("no pong with this payload")
                ws.send(message)
            else:
                ws.send(message)
    except ConnectionClosed:
        pass
    print("close", ws.protocol.close_code, flush=True)


with serve(answer, "127.0.0.1", 0, max_size=None) as server:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("PyPI websockets", websockets.__version__)
    print(f"listening on ws://127.0.0.1:{server.socket.getsockname()[1]}/", flush=True)
    server.serve_forever()
