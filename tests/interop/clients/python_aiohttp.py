"""PyPI aiohttp against the server, permessage-deflate offered: python_aiohttp.py URL"""
import asyncio

import aiohttp
from aiohttp import WSMsgType

import checks

loop = asyncio.new_event_loop()


def wait(coroutine):
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


class Client:
    fragments = None

    def __init__(self, url):
        async def connect():
            self.session = aiohttp.ClientSession()
            self.ws = await self.session.ws_connect(url, compress=15, autoping=False, autoclose=False)

        wait(connect())

    def send(self, message):
        wait(self.ws.send_str(message) if isinstance(message, str) else self.ws.send_bytes(message))

    def receive(self):
        return wait(self.ws.receive()).data

    def ping(self, payload):
        wait(self.ws.ping(payload))
        seen = wait(self.ws.receive())
        return seen.data if seen.type == WSMsgType.PONG else seen

    def close(self, code, reason):
        wait(self.ws.close(code=code, message=reason.encode()))
        return self.ended("")  # close() keeps the code of the server's frame, not its reason

    def closed(self):
        seen = wait(self.ws.receive())
        if seen.type != WSMsgType.CLOSE:
            raise AssertionError(f"{seen} instead of a close")
        wait(self.ws.close())
        return self.ended(seen.extra)

    def ended(self, reason):
        wait(self.session.close())
        return self.ws.close_code, reason


checks.run(f"PyPI aiohttp {aiohttp.__version__}", Client)
