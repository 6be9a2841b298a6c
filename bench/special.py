# SPDX-License-Identifier: Apache-2.0
"""What is not CPU per request: latency added at half load, memory of idle connections, goodput under overload."""
import socket
import ssl
import struct
import time

import measure

# Connections that are there before idle memory is read for the first time: what a process takes at first is not theirs.
FEW = 100
# Gates give back what a connection used for its answer after some time.
SETTLED_SECS = 3
# The upstream of the overload does so many things at once, each for so long.
PLACES, WORK_US = 8, 20_000
LATENCY_CONNECTIONS = 32
LATENCY = {"plain": ("nginx", "portcullis"), "all": ("haproxy", "envoy", "portcullis")}


def latency(bench, rows):
    """p50 and p99 of each proxy at half of our peak, less those of the upstream asked directly at the same rate.

    Where half of its own peak is less, a proxy is asked for that.
    """
    for work, names in LATENCY.items():
        half = half_of_peak(bench, names[-1], work)
        rates = {name: min(half, half_of_peak(bench, name, work)) for name in names[:-1]} | {names[-1]: half}
        for turn in range(bench.rounds):
            for name in bench.rotated(names, turn):
                row = added(bench, name, work, rates[name])
                rows.append(row)
                print(f"latency {work:5} {turn} {name:10} at {row['rate']:6.0f}/s  p50 +{row['p50_added_us']} us  p99 +{row['p99_added_us']} us", flush=True)


def half_of_peak(bench, name, work):
    with bench.started(name, work) as (_, port):
        peak = measure.wrk(port, work, bench.keys, bench.token(work), LATENCY_CONNECTIONS, bench.secs)
    return peak["requests"] / (peak["duration_us"] / 1e6) / 2


def added(bench, name, work, rate):
    token = bench.token(work)
    body = (bench.keys / "order.json").read_bytes() if token else None
    through, direct = bench.run / "request", bench.run / "request-direct"
    words = ("--rate", f"{rate:.0f}", "--connections", LATENCY_CONNECTIONS, "--secs", bench.secs, "--request")
    with bench.started(name, work) as (_, port):
        its = one(bench, port, words, measure.request_file(through, port, body, token))
    bare = one(bench, bench.upstream, words, measure.request_file(direct, bench.upstream, body, token))
    return {"scenario": f"latency-{work}", "name": name, "rate": rate,
            **{f"{p}_added_us": its[f"{p}_us"] - bare[f"{p}_us"] for p in ("p50", "p99")},
            **{f"{p}_direct_us": bare[f"{p}_us"] for p in ("p50", "p99")}}


def one(bench, port, words, request):
    answers = measure.program(bench.load_tool, "--port", port, *words, request)["answers"]
    if set(answers) != {"200"}:
        raise RuntimeError(f"latency: {answers}")
    return answers["200"]


def idle(bench, rows):
    for kind in ("idle-h1", "idle-tls", "idle-h2"):
        for name in ("portcullis", "nginx", "haproxy", "envoy"):
            with bench.started(name, kind) as (proxy, port):
                # What requests leave behind, records and caches, is not a connection's.
                measure.wrk(port, kind, bench.keys, None, measure.CONNECTIONS, measure.WARM_SECS)
                held = []
                try:
                    sizes = []
                    for count in (FEW, FEW + bench.idle_connections):
                        while len(held) < count:
                            held.append(connect(kind, port, bench.keys))
                        time.sleep(SETTLED_SECS)
                        sizes.append(proxy.rss_kib())
                finally:
                    for connection in held:
                        # Reset: ports that wait for a minute would be missing for the next proxy.
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        connection.close()
            kib = (sizes[1] - sizes[0]) / bench.idle_connections
            rows.append({"scenario": kind, "name": name, "kib": kib, "connections": bench.idle_connections})
            print(f"{kind:10} {name:10} {kib:6.1f} KiB a connection", flush=True)


def connect(kind, port, keys):
    """A connection that has had one answer and is silent from then on."""
    plain = socket.create_connection(("127.0.0.1", port), 5)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if kind == "idle-h1":
        return exchange_h1(plain)
    if keys not in CONTEXTS:
        CONTEXTS[keys] = ssl.create_default_context(cafile=str(keys / "ca.pem"))
    context = CONTEXTS[keys]
    context.set_alpn_protocols(["h2" if kind == "idle-h2" else "http/1.1"])
    wrapped = context.wrap_socket(plain, server_hostname="localhost")
    return exchange_h2(wrapped) if kind == "idle-h2" else exchange_h1(wrapped)


CONTEXTS = {}


def exchange_h1(connection):
    connection.sendall(b"GET /json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = b""
    while not got.endswith(b'"}'):
        more = connection.recv(65536)
        if not more:
            raise RuntimeError(f"closed after {got[:200]}")
        got += more
    return connection


def exchange_h2(connection):
    """Preface, SETTINGS, one GET; ends with the answer's END_STREAM."""
    block = bytes([0x82, 0x87, 0x04, 5]) + b"/json" + bytes([0x01, 9]) + b"localhost"
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block))
    buffered = b""
    while True:
        while len(buffered) < 9 or len(buffered) < 9 + int.from_bytes(buffered[:3], "big"):
            more = connection.recv(65536)
            if not more:
                raise RuntimeError("HTTP/2: closed before the answer")
            buffered += more
        length, kind, flags = int.from_bytes(buffered[:3], "big"), buffered[3], buffered[4]
        stream, buffered = int.from_bytes(buffered[5:9], "big"), buffered[9 + length:]
        if kind == 4 and not flags & 1:
            connection.sendall(frame(4, 1, 0, b""))
        if kind in (3, 7):
            raise RuntimeError(f"HTTP/2: frame {kind} instead of an answer")
        if stream == 1 and kind in (0, 1) and flags & 1:
            return connection


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def overload(bench, rows):
    """Goodput at three times what the upstream can do, against its peak, and how long a refusal takes."""
    port = bench.base_port + 7
    words = ["load", "upstream", "--port", port, "--places", PLACES, "--work-us", WORK_US, "--answer", bench.keys / "resp.json"]
    upstream = measure.Proxy([bench.load_tool, *words], bench.log, measure.LOAD_CORE)
    try:
        upstream.wait_for(port)
        request = measure.request_file(bench.run / "request", port)
        secs = max(4, bench.secs)
        able = PLACES * 1_000_000 / WORK_US
        # As many clients as places, each always asking, and nothing between: the most the upstream can do.
        most = load(bench, port, able * 10, PLACES, secs, request)
        if "200" not in most:
            raise RuntimeError(f"overload: {most}")
        peak = most["200"]["count"] / secs
        with bench.started("portcullis", "overload", port) as (_, gate):
            # What the upstream bears is learnt in the first seconds.
            load(bench, gate, able * 3, 192, 2, request)
            over = load(bench, gate, able * 3, 192, secs, request)
    finally:
        upstream.stop()
    refused = {s: a for s, a in over.items() if s != "200"}
    if set(refused) - {"503"}:
        raise RuntimeError(f"overload: {over}")
    row = {"scenario": "overload", "name": "portcullis", "peak_rps": peak, "good_rps": over["200"]["count"] / secs,
           "offered_rps": able * 3, "refused": refused.get("503", {}), "accepted": over["200"]}
    rows.append(row)
    print(f"overload   portcullis peak {peak:.0f}/s, at {row['offered_rps']:.0f}/s offered {row['good_rps']:.0f}/s; refusals {row['refused']}", flush=True)


def load(bench, port, rate, connections, secs, request):
    words = ("--port", port, "--rate", rate, "--connections", connections, "--secs", secs, "--request", request)
    return measure.program(bench.load_tool, *words)["answers"]
