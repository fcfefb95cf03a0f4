"""The checks of every Python client; see tests/interop/clients/part.sh.

A client is a class: `Client(url)` connects; `send(str or bytes)`, `receive()`; `fragments(parts)` sends one text message in
several frames and `ping(payload)` returns the pong's payload, both None where the API has no such thing; `close(code, reason)`
and `closed()` return the code and reason of the server's Close frame, the first after sending one, the second waits for it."""
import sys
from urllib.parse import urljoin

from checking import check, exit_status, same

TEXT = "naïve – 漢字 – 😀"
REASON = "enough, danke schön"


def run(title, client):
    url = sys.argv[1]
    print(title)

    def connect(path="/"):
        return client(urljoin(url, path))

    def comes_back(message, send=None):
        ws = connect()
        if send:
            send(ws)
        else:
            ws.send(message)
        same(ws.receive(), message)
        ws.close(1000, "")

    def ping():
        ws = connect()
        same(ws.ping(b"are you there"), b"are you there")
        ws.close(1000, "")

    def server_closes(code):
        ws = connect(f"/close/{code}")
        ws.send(REASON)
        same(ws.closed(), (code, REASON))

    check("text", lambda: comes_back(TEXT))
    check("binary 64 KiB", lambda: comes_back(data(64 << 10)))
    check("binary 1 MiB", lambda: comes_back(data(1 << 20)))
    if client.fragments:
        check("fragments", lambda: comes_back(TEXT, lambda ws: ws.fragments([TEXT[:4], "", TEXT[4:]])))
    else:
        print("n/a  fragments: the API sends whole messages only")
    if client.ping:
        check("ping", ping)
    else:
        print("n/a  ping: the API shows no pongs")
    check("client closes", lambda: same(connect().close(1000, "bye"), (1000, "")))  # wshub answers with the code alone
    for code in (1000, 3000, 4999):
        check(f"server closes {code}", lambda: server_closes(code))
    sys.exit(exit_status())


def data(length):
    return bytes(i * 31 % 251 for i in range(length))
