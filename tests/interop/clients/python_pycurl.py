"""libcurl through PyPI pycurl against the server: python_pycurl.py URL"""
import select
import struct

import pycurl

import checks


class Client:
    def __init__(self, url):
        self.curl = pycurl.Curl()
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.CONNECT_ONLY, 2)
        self.curl.setopt(pycurl.NOPROXY, "*")
        self.curl.perform()

    def send(self, message):
        data, kind = (message.encode(), pycurl.WS_TEXT) if isinstance(message, str) else (message, pycurl.WS_BINARY)
        self.transmit(data, kind)

    def transmit(self, data, flags):
        while data:
            data = data[self.again(lambda: self.curl.ws_send(data, flags), write=True) :]

    def receive(self):
        data, meta = self.frame()
        return data.decode() if meta.flags & pycurl.WS_TEXT else data

    def fragments(self, parts):
        whole = [part.encode() for part in parts]
        for i, part in enumerate(whole):
            self.again(lambda: self.curl.ws_send(part, pycurl.WS_TEXT | (pycurl.WS_CONT if i < len(whole) - 1 else 0)), write=True)

    def ping(self, payload):
        self.transmit(payload, pycurl.WS_PING)
        data, meta = self.frame()
        return data if meta.flags & pycurl.WS_PONG else (data, meta)

    def close(self, code, reason):
        self.transmit(struct.pack("!H", code) + reason.encode(), pycurl.WS_CLOSE)
        return self.closed(answered=True)

    def closed(self, answered=False):
        data, meta = self.frame()
        if not meta.flags & pycurl.WS_CLOSE:
            raise AssertionError(f"{data!r}, {meta} instead of a close")
        if not answered:
            self.transmit(data, pycurl.WS_CLOSE)
        self.curl.close()
        return struct.unpack("!H", data[:2])[0], data[2:].decode()

    def frame(self):
        data = b""
        while True:
            part, meta = self.again(lambda: self.curl.ws_recv(1 << 16))
            data += part
            if meta.bytesleft == 0 and not meta.flags & pycurl.WS_CONT:
                return data, meta

    def again(self, step, write=False):
        """libcurl never blocks here: waits for the socket where it says EAGAIN."""
        while True:
            try:
                return step()
            except BlockingIOError:
                socket = [self.curl.getinfo(pycurl.ACTIVESOCKET)]
                if select.select([] if write else socket, socket if write else [], [], 20) == ([], [], []):
                    raise TimeoutError("20 s")


checks.run(" through PyPI ".join(reversed(pycurl.version.split()[:2])), Client)
