"""Talks through the gate as a client would; prints what it heard."""
import asyncio
import json
import sys

import aiohttp

url, token = sys.argv[1:]


async def main():
    heard = {}
    async with aiohttp.ClientSession() as session:
        try:
            await session.ws_connect(f"{url}/chat")
        except aiohttp.WSServerHandshakeError as error:
            heard["refused"] = error.status
        headers = {"Authorization": f"Bearer {token}"}
        socket = await session.ws_connect(f"{url}/chat", headers=headers, protocols=["v3", "v2"], compress=15)
        heard["id"] = socket._response.headers["request-id"]
        heard["protocol"], heard["compress"] = socket.protocol, socket.compress
        await socket.send_str("grüße")
        heard["text"] = await socket.receive_str()
        await socket.send_bytes(b"x" * 1000)
        heard["binary"] = len(await socket.receive_bytes())
        await socket.send_bytes(b"x" * 1_000_000)
        heard["large"] = len(await socket.receive_bytes())
        await socket.ping(b"are you there")
        await socket.send_str("close")
        message = await socket.receive()
        # aiohttp takes pongs for itself; a close after the ping says that the ping did no harm.
        heard["pong"] = message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        heard["theirs"] = socket.close_code
        socket = await session.ws_connect(f"{url}/chat", headers=headers)
        await socket.close()
        heard["ours"] = socket.close_code
    print(json.dumps(heard))


asyncio.run(main())
