# SPDX-License-Identifier: Apache-2.0
"""Processes on their cores, what they use, and whether they do the work they are measured by."""
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time

import fixtures
import peers

HZ = os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = 0, 1
# Under the first second of a row the proxy fills its caches and pools.
WARM_SECS = 1
CONNECTIONS = 64
# Gates take half of what they may open for clients.
FILES = 65536


class Proxy:
    """A process group on one core."""

    def __init__(self, command, log, core=PROXY_CORE):
        pinned = ["taskset", "-c", str(core), *map(str, command)]
        self.process = subprocess.Popen(pinned, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def members(self):
        """(pid, user ticks, system ticks) of each process of the group."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:
                found.append((int(pid), int(fields[11]), int(fields[12])))
        return found

    def cpu_secs(self):
        members = self.members()
        return sum(u for _, u, _ in members) / HZ, sum(s for _, _, s in members) / HZ

    def rss_kib(self):
        total = 0
        for pid, _, _ in self.members():
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                total += int(fixtures.only_word(f.read(), r"VmRSS:\s+(\d+)"))
        return total

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def wait_for(self, port, secs=20):
        end = time.time() + secs
        while time.time() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args} exited with {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port), 0.3).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"nothing listens on {port}")


def descriptors():
    """As many as this machine gives; the answer is for how many idle connections they are enough."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
        files = FILES
    except (PermissionError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    return files // 2 - 500


def priority():
    """Before others on this machine, where that is allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        print("not root: other programs of this machine disturb the run")


def unused(port):
    """Another program's answers are not measured."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise RuntimeError(f"something else listens on {port}: another run? --base-port chooses other ports")


def ask(port, scenario, keys, token):
    if scenario in peers.TLS:
        context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=5)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if peers.algorithm(scenario):
        fields = {"Content-Type": "application/json"}
        if token:
            fields["Authorization"] = "Bearer " + token
        connection.request("POST", "/orders", (keys / "order.json").read_bytes(), fields)
    else:
        connection.request("GET", "/json")
    answer = connection.getresponse()
    return answer.status, answer.read()


def check(port, scenario, keys, token, ours):
    """A proxy that does not do the work is not measured."""
    status, answer = ask(port, scenario, keys, token)
    upstream = (keys / "resp.json").read_bytes()
    if scenario == "all" and ours:
        kept = {k: v for k, v in json.loads(upstream).items() if k not in ("margin", "pad")}
        assert (status, json.loads(answer)) == (200, kept), f"not filtered: {status} {answer[:200]}"
        wrong = (keys / "order.json").read_bytes().replace(b'"EUR"', b'"XXX"')
        status = post(port, wrong, token)
        assert status == 400, f"a body against the schema: {status}"
    else:
        assert (status, answer) == (200, upstream), f"good request: {status} {answer[:200]}"
    if token:
        for what, bad in (("no", None), ("a tampered", fixtures.tampered(token))):
            status, _ = ask(port, scenario, keys, bad)
            assert status == 401, f"{what} token: {status}"


def post(port, body, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/orders", body, {"Content-Type": "application/json", "Authorization": "Bearer " + token})
    return connection.getresponse().status


def wrk(port, scenario, keys, token, connections, secs, fresh=False):
    environment = dict(os.environ)
    path = "/json"
    if token:
        path = "/orders"
        environment.update(WRK_METHOD="POST", WRK_BODY_FILE=str(keys / "order.json"), WRK_AUTH="Bearer " + token)
    if fresh:
        environment["WRK_TOKENS"] = str(keys / "tokens.txt")
    url = f"https://localhost:{port}{path}" if scenario in peers.TLS else f"http://127.0.0.1:{port}{path}"
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{secs}s", "--latency",
               "-s", str(fixtures.HERE / "wrk.lua"), url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    result = json.loads(fixtures.only_word(done.stdout + done.stderr, r"JSON (\{.*\})"))
    wrong = result["non2xx"] + result["sock_err"]
    if wrong:
        raise RuntimeError(f"{wrong} of {result['requests']} requests failed")
    return result


def handshakes(port, scenario, keys, secs):
    """TLS 1.3 handshakes one after another; only CPU per handshake is of interest, the client is the limit."""
    kind = "resumed" if scenario.endswith("resumed") else "full"
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, fixtures.HERE / "handshakes.py", kind, str(port), keys / "ca.pem", str(secs)]
    return json.loads(output(command))


def output(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def measure(proxy, load):
    """Runs the load, and says what the proxy used for one request of it."""
    before = proxy.cpu_secs()
    result = load()
    after = proxy.cpu_secs()
    count = max(1, result["requests"])
    user, system = ((after[i] - before[i]) / count * 1e6 for i in (0, 1))
    rate = count / (result["duration_us"] / 1e6)
    return {**result, "rps": rate, "user_us": user, "cpu_us": user + system, "rss_mib": proxy.rss_kib() / 1024}


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def program(load_tool, *words):
    """A line of JSON from our constant-rate client, which runs beside the upstream."""
    return json.loads(output(["taskset", "-c", LOAD_CORE, load_tool, "load", "client", *words]))


def request_file(path, port, body=None, token=None):
    """One request as the constant-rate client sends it."""
    head = ["GET /json HTTP/1.1" if body is None else "POST /orders HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    if body is not None:
        head += [f"Authorization: Bearer {token}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    path.write_bytes("\r\n".join([*head, "", ""]).encode() + (body or b""))
    return path


def versions():
    path = peers.CACHE / "versions.txt"
    lines = path.read_text().split("\n") if path.exists() else []
    return ", ".join(line for line in lines if re.search(r"\w", line))
