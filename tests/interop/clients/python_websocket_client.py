"""PyPI websocket-client against the server: python_websocket_client.py URL"""
import struct

import websocket
from websocket import ABNF

import checks


class Client:
    def __init__(self, url):
        self.ws = websocket.create_connection(url, timeout=20)

    def send(self, message):
        self.ws.send(message, ABNF.OPCODE_TEXT if isinstance(message, str) else ABNF.OPCODE_BINARY)

    def receive(self):
        return self.ws.recv()

    def fragments(self, parts):
        for i, part in enumerate(parts):
            self.ws.send_frame(ABNF.create_frame(part.encode(), ABNF.OPCODE_CONT if i else ABNF.OPCODE_TEXT, int(i == len(parts) - 1)))

    def ping(self, payload):
        self.ws.ping(payload)
        return self.control(ABNF.OPCODE_PONG)

    def close(self, code, reason):
        self.ws.send_close(code, reason.encode())
        return self.closed()

    def closed(self):
        payload = self.control(ABNF.OPCODE_CLOSE)
        self.ws.shutdown()
        return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    def control(self, opcode):
        while True:
            seen, frame = self.ws.recv_data_frame(control_frame=True)
            if seen == opcode:
                return frame.data


checks.run(f"PyPI websocket-client {websocket.__version__}", Client)
