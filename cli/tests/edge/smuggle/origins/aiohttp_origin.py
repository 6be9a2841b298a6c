"""An origin on aiohttp. Writes a line for each request it understood."""
import asyncio
import logging
import os
import sys

from aiohttp import web

logging.disable(logging.CRITICAL)
OUT = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def say(*words):
    os.write(OUT, ("\t".join(str(word) for word in words) + "\n").encode())


async def answer(request):
    identifier = request.headers.get("Request-Id", "-")
    target = request.raw_path if hasattr(request, "raw_path") else request.path_qs
    try:
        body = await request.content.read()
    except Exception as error:  # what cuts a body short has many names
        say("C", identifier, request.method, type(error).__name__, 0)
        raise
    say("R", identifier, request.method, target, len(body))
    return web.json_response({"method": request.method, "target": target, "length": len(body), "request": identifier})


class Log:
    """aiohttp answers what it cannot parse by itself; that shows as a status 400."""

    enabled = True

    def __init__(self, *_):
        pass

    def log(self, request, response, _):
        if response.status == 400:
            say("E", "-", "-", "400", 0)


async def main():
    runner = web.ServerRunner(web.Server(answer, access_log_class=Log, keepalive_timeout=600, tcp_keepalive=False))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
