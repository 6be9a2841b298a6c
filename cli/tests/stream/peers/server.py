"""A WebSocket server that echoes, and closes with 4001 when it is asked to."""
import asyncio
import sys

from aiohttp import WSMsgType, web


async def chat(request):
    socket = web.WebSocketResponse(protocols=["v2", "v1"], max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT and message.data == "close":
            await socket.close(code=4001, message=b"as you wish")
        elif message.type == WSMsgType.TEXT:
            await socket.send_str(f"echo: {message.data}")
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def main():
    app = web.Application()
    app.add_routes([web.get("/chat", chat), web.get("/open", chat)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
