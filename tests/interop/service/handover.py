#!/usr/bin/env python3
"""handover.py SERVICE HERD DIRECTORY HANDOVERS: a supervisor that keeps the listening socket, and hands it from process to
process while HERD's clients come through HAProxy.

SERVICE is the example `service`. Each new process says READY=1 before the old one gets SIGTERM; that one says STOPPING=1,
parts from its clients and ends with exit status 0. No client may wait longer than by its own back-off. Prints a line for
each check; exit status 1 if one failed. Every wait has an end.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time

CLIENTS = 200
CONNECTED = "all are connected"
DRAIN = 2
PATIENCE = 60


def check(name, is_so, why=""):
    print(f"ok   {name}" if is_so else f"FAIL {name}: {why}", flush=True)
    if not is_so:
        sys.exit(1)


class Supervisor:
    """Keeps the socket, and hears what the processes say."""

    def __init__(self, program, log):
        self.program, self.log = program, log
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addr = "127.0.0.1:%d" % self.listener.getsockname()[1]
        name = f"wshub-handover-{os.getpid()}"
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # An abstract name, as systemd has it in containers.
        self.notices.bind("\0" + name)
        self.notices.settimeout(PATIENCE)
        self.env = dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="hub", NOTIFY_SOCKET="@" + name,
                        DRAIN_SECONDS=str(DRAIN), RUST_LOG="info")

    def heard(self, wanted):
        try:
            said = self.notices.recv(256).decode()
        except TimeoutError:
            said = "nothing"
        check_quietly(said == wanted, f"the service says {said}, not {wanted}")

    def start(self):
        command = ["sh", "-c", 'export LISTEN_PID=$$; exec "$0"', self.program]
        process = subprocess.Popen(command, env=self.env, pass_fds=[3], stdin=subprocess.DEVNULL,
                                   stdout=self.log, stderr=self.log)
        self.heard("READY=1")
        return process

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        self.heard("STOPPING=1")
        status = process.wait(timeout=PATIENCE)
        check_quietly(status == 0, f"the service ends with {status}")


def check_quietly(is_so, why):
    if not is_so:
        check("the service", False, why)


def haproxy(directory, backend):
    """HAProxy in front, with a socket that it is given: no port has to be free for it; the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    path = os.path.join(directory, "haproxy.cfg")
    with open(path, "w") as config:
        config.write(f"""global
    maxconn 2000
defaults
    mode http
    timeout connect 60s
    timeout check 60s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend all
    bind fd@{listener.fileno()}
    default_backend hub
backend hub
    option httpchk GET /healthz
    server hub {backend} check inter 500ms
""")
    log = open(os.path.join(directory, "haproxy.log"), "w")
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
    process = subprocess.Popen(["haproxy", "-db", "-f", path], stdout=log, stderr=log, env=environment, pass_fds=[listener.fileno()])
    listener.close()
    return process, port


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def wait_until(is_so, what):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if is_so():
                return
        except OSError:
            pass
        if time.monotonic() > end:
            check(what, False, f"not within {PATIENCE} s")
        time.sleep(0.05)


def main():
    program, herd, directory, handovers = sys.argv[1:5]
    # Nothing else is to have the number that a process looks for.
    third = os.open("/dev/null", os.O_RDONLY)
    log = open(os.path.join(directory, "service.log"), "w")
    supervisor = Supervisor(program, log)
    os.dup2(supervisor.listener.fileno(), 3, inheritable=True)
    check_quietly(third == 3, f"descriptor 3 was taken, {third} is free")
    running, proxy, clients = [], None, None
    try:
        running.append(supervisor.start())
        proxy, port = haproxy(directory, supervisor.addr)
        wait_until(lambda: ask(port, "/healthz") == (200, "ok\n"), "HAProxy finds the service well")
        said = open(os.path.join(directory, "herd.log"), "w+")
        clients = subprocess.Popen([herd, f"ws://127.0.0.1:{port}/", str(CLIENTS)], stdout=said, stderr=said)
        wait_until(lambda: told(said) == 1, "the clients connect")
        for number in range(int(handovers)):
            running.append(supervisor.start())
            begun = time.monotonic()
            supervisor.end(running.pop(0))
            took = time.monotonic() - begun
            check_quietly(ask(port, "/process") == (200, f"{running[0].pid}\n"), "another process answers")
            wait_until(lambda: told(said) == number + 2, "the clients connect again")
            print(f"hand-over {number + 1}: {took:.1f} s", flush=True)
        clients.send_signal(signal.SIGTERM)
        status = clients.wait(timeout=PATIENCE)
        summary = [line for line in read(said).splitlines() if line != CONNECTED]
        print("\n".join(summary), flush=True)
        times = f"{CLIENTS * int(handovers)} times 1012"
        check("no client waits longer than its own back-off", status == 0, "the herd says so")
        check("each is told once for each restart", times in summary[0], f"not {times}")
        supervisor.end(running.pop(0))
        check("the last process ends", True)
    finally:
        for process in [clients, proxy, *running]:
            if process and process.poll() is None:
                process.kill()
                process.wait()


def told(file):
    """How often all clients have come to be connected."""
    return read(file).splitlines().count(CONNECTED)


def read(file):
    file.flush()
    with open(file.name) as text:
        return text.read()


main()
