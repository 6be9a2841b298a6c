"""An origin on h11, a parser written from the RFC alone. Writes a line for each request it understood."""
import asyncio
import json
import os
import sys

import h11

OUT = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def say(*words):
    os.write(OUT, ("\t".join(str(word) for word in words) + "\n").encode())


async def serve(reader, writer):
    connection = h11.Connection(h11.SERVER)
    head, identifier, length = None, "-", 0
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                head, length = event, 0
                identifier = dict(event.headers).get(b"request-id", b"-").decode()
            elif isinstance(event, h11.Data):
                length += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                method, target = head.method.decode(), head.target.decode()
                if event.headers:
                    say("E", identifier, method, "trailers", 0)
                say("R", identifier, method, target, length)
                said = json.dumps({"method": method, "target": target, "length": length, "request": identifier}).encode()
                fields = [("Content-Type", "application/json"), ("Content-Length", str(len(said)))]
                answer = connection.send(h11.Response(status_code=200, headers=fields))
                writer.write(answer + connection.send(h11.Data(data=said)) + connection.send(h11.EndOfMessage()))
                head = None
                if connection.our_state is h11.MUST_CLOSE:
                    return
                connection.start_next_cycle()
            else:
                return
    except h11.RemoteProtocolError as error:
        # A connection that ended inside a request is no fault of its bytes.
        cut_short = "closed" in str(error) or "incomplete" in str(error) or "without sending" in str(error)
        say("C" if cut_short else "E", identifier, "-", str(error).replace("\t", " "), 0)
    except ConnectionError:
        if head is not None:
            say("C", identifier, "-", "reset", 0)
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
