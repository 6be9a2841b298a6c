# A gRPC service without generated code: messages are bytes. Prints its port, and ends with its standard input.
import sys
import time
from concurrent import futures

import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-seen", metadata.get("x-subject", "-")), ("server", "hidden"), ("x-raw-bin", b"\x00\xff")))
    if request == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such route: grüße")
    return b"echo: " + request


def many(request, context):
    for n in range(int(request)):
        yield b"message %d" % n


def collect(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def chat(requests, context):
    context.send_initial_metadata((("x-early", "1"),))
    for request in requests:
        yield b"you said " + request


def quiet(request, context):
    yield b"first"
    time.sleep(3)
    yield b"second"


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Many": grpc.unary_stream_rpc_method_handler(many),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Quiet": grpc.unary_stream_rpc_method_handler(quiet),
}
server = grpc.server(futures.ThreadPoolExecutor(16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("routes.v1.Routes", handlers),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
