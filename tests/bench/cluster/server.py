"""python-socketio's server in threads with its manager over Redis, with the events of src/bin/cluster-node.rs: server.py REDIS"""
import logging
import sys

import socketio
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
io = socketio.Server(async_mode="threading", client_manager=socketio.RedisManager(sys.argv[1]))


@io.event
def broadcast(sid, ticks, size):
    for number in range(ticks):
        io.emit("tick", (number, "x" * size))


@io.event
def relay(sid, stamp):
    io.emit("relayed", stamp)


server = make_server("127.0.0.1", 0, socketio.WSGIApp(io), threaded=True)
print(f"listening on 127.0.0.1:{server.port}", flush=True)
server.serve_forever()
