"""A server of Python on the message queue: servers.py flask|plain REDIS. Its clients say what it does, beside each event.

Prints `listening on ws://ADDR/` when it accepts."""
import sys
import threading

from werkzeug.serving import make_server

kind, redis = sys.argv[1:]
options = {"async_mode": "threading", "cors_allowed_origins": "*"}

if kind == "flask":
    from flask import Flask
    from flask_socketio import SocketIO

    app = Flask(__name__)
    io = SocketIO(app, message_queue=redis, **options)
    server = io.server
    wsgi = app
    on = io.on
else:
    import socketio

    io = server = socketio.Server(client_manager=socketio.RedisManager(redis), **options)
    wsgi = socketio.WSGIApp(server)

    def on(event):
        """As Flask has it: without the id of the socket."""
        return lambda handler: io.on(event, lambda _, *args: handler(*args))


@on("join")
def join(sid, room):
    server.enter_room(sid, room)


# To all, or to these rooms; not to these sockets.
@on("emit")
def emit(rooms, skipped, data):
    io.emit("from python", data, to=rooms or None, skip_sid=skipped or None)


@on("ask")
def ask(asker, sid):
    io.emit("question", 21, to=sid, callback=lambda *args: io.emit("answered", args, to=asker))


@on("call")
def call(asker, sid):
    def wait():
        try:
            answer = io.call("question", (22, b"bytes"), to=sid, timeout=10)
        except Exception as error:
            answer = type(error).__name__
        io.emit("called", answer, to=asker)

    threading.Thread(target=wait).start()


@on("order")
def order(method, *args):
    getattr(server, method)(*args)


listener = make_server("127.0.0.1", 0, wsgi, threaded=True)
print(f"listening on ws://127.0.0.1:{listener.server_port}/", flush=True)
listener.serve_forever()
