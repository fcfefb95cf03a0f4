"""python-socketio's server in threads, with the events of src/main.rs."""
import logging
import socketio
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
io = socketio.Server(async_mode="threading")


@io.event
def echo(sid, *args):
    return args


@io.event
def broadcast(sid, ticks, size):
    for number in range(ticks):
        io.emit("tick", (number, "x" * size))


server = make_server("127.0.0.1", 0, socketio.WSGIApp(io), threaded=True)
print(f"listening on 127.0.0.1:{server.port}", flush=True)
server.serve_forever()
