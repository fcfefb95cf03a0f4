"""A port for a server that has to be told its number."""
import os
import socket


def free_port():
    """Free until the server has it: below those that systems give away themselves, to other sockets and to connections."""
    for port in range(10_000 + os.getpid() % 9_000, 20_000):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise OSError("no free port")
