# Calls a gRPC service through the gate; prints what it heard.
import json
import queue
import sys
import time

import grpc

address, token = sys.argv[1:]
channel = grpc.insecure_channel(address)
metadata = (("authorization", "Bearer " + token),)
path = "/routes.v1.Routes/"
heard = {}


def status(call):
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


unary = channel.unary_unary(path + "Unary")
answer, call = unary.with_call(b"hello", metadata=metadata, timeout=10)
trailing = {name: value if isinstance(value, str) else list(value) for name, value in call.trailing_metadata()}
heard["unary"], heard["trailing"] = answer.decode(), trailing
heard["id"] = dict(call.initial_metadata())["request-id"]
try:
    unary(b"fail", metadata=metadata, timeout=10)
except grpc.RpcError as error:
    heard["failed"] = [error.code().name, error.details()]
heard["missing"] = status(lambda: unary(b"x", timeout=10))
heard["unknown"] = status(lambda: channel.unary_unary(path + "Nothing")(b"x", metadata=metadata, timeout=10))
heard["scope"] = status(lambda: channel.unary_unary(path + "Guarded")(b"x", metadata=metadata, timeout=10))
heard["many"] = len(list(channel.unary_stream(path + "Many")(b"2000", metadata=metadata, timeout=20)))
parts = (b"x" * 20_000 for _ in range(200))
heard["collect"] = int(channel.stream_unary(path + "Collect")(parts, metadata=metadata, timeout=20))

# Each message is said after the answer to the one before was heard, the first after the head of the answer.
said = queue.Queue()
chat = channel.stream_stream(path + "Chat")(iter(said.get, None), metadata=metadata, timeout=20)
heard["early"] = dict(chat.initial_metadata())["x-early"]
answers = []
for n in range(5):
    time.sleep(0.3)
    said.put(b"%d" % n)
    answers.append(next(chat).decode())
said.put(None)
heard["chat"], heard["end"] = answers, chat.code().name
heard["quiet"] = [message.decode() for message in channel.unary_stream(path + "Quiet")(b"", metadata=metadata, timeout=20)]
cancelled = channel.unary_stream(path + "Quiet")(b"", metadata=metadata, timeout=20)
heard["before_cancel"] = next(cancelled).decode()
cancelled.cancel()
calls = [unary.future(b"%d" % n, metadata=metadata, timeout=20) for n in range(200)]
heard["at_once"] = sum(call.result() == b"echo: %d" % n for n, call in enumerate(calls))
print(json.dumps(heard))
