# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/performance.md: what was measured, beside the targets. Prose around them is written by hand."""
import statistics

BEGIN, END = "<!-- bench: begin, written by `cargo xtask bench` -->", "<!-- bench: end -->"
OURS = "portcullis"

# Scenario: what it is, and {peer: the largest share of the peer's CPU that we may take}.
TARGETS = {
    "plain": ("plain, GET, 1 KiB answer", {"nginx": 0.9}),
    "sec-hs256": ("JWT HS256 seen before + limit", {"haproxy": 0.65, "envoy": 0.25}),
    "sec-es256": ("JWT ES256 seen before + limit", {"haproxy": 0.65, "envoy": 0.25}),
    "sec-es256-new": ("JWT ES256 never seen before + limit", {"haproxy": 0.65}),
    "all": ("everything on; peers: JWT HS256 + limit (Envoy also RBAC)", {"haproxy": 1.0, "envoy": 0.40}),
    "tls": ("plain over TLS 1.3", {}),
    "mtls": ("plain over TLS 1.3, mutual TLS to the upstream", {}),
    "handshake": ("full TLS 1.3 handshake", {"nginx": 1 / 1.5}),
    "handshake-resumed": ("resumed TLS 1.3 handshake", {}),
}
LATENCY_US = {"p50": 60, "p99": 500}
IDLE_KIB = {"idle-h1": ("HTTP/1.1", 6), "idle-tls": ("HTTP/1.1 over TLS", 28), "idle-h2": ("HTTP/2 over TLS", 48)}
GOODPUT_SHARE, REFUSAL_US = 0.9, 1000


def verdict(met):
    return "met" if met else "**missed**"


def of(rows, scenario, name=None):
    return [r for r in rows if r["scenario"] == scenario and name in (None, r["name"])]


def names(rows, scenario):
    """In the order they first ran; ours last."""
    found = list(dict.fromkeys(r["name"] for r in of(rows, scenario)))
    return sorted(found, key=lambda n: n == OURS)


def mid(rows, key):
    return statistics.median(r[key] for r in rows)


def spread(rows, key):
    return f"{mid(rows, key):.1f} [{min(r[key] for r in rows):.1f}–{max(r[key] for r in rows):.1f}]"


def bold(name):
    return f"**{name}**" if name == OURS else name


def cpu_table(rows):
    lines = ["| scenario | proxy | CPU µs per request, median [min–max] | of it in user space | requests/s | ours ÷ it | wanted |", "|---|---|---|---|---|---|---|"]
    for scenario, (title, wanted) in TARGETS.items():
        ours = of(rows, scenario, OURS)
        for name in names(rows, scenario):
            its = of(rows, scenario, name)
            ratio, target = "", ""
            if name != OURS and ours:
                share = mid(ours, "cpu_us") / mid(its, "cpu_us")
                ratio = f"{share:.2f}"
                if name in wanted:
                    target = f"≤ {wanted[name]:.2f}: {verdict(share <= wanted[name])}"
            lines.append(f"| {title} | {bold(name)} | {spread(its, 'cpu_us')} | {mid(its, 'user_us'):.1f} | {mid(its, 'rps'):.0f} | {ratio} | {target} |")
    return lines if len(lines) > 2 else []


def latency_table(rows):
    lines = ["| latency at half of our peak (of its own where that is less) | proxy | requests/s | p50 over direct, median [min–max] | p99 over direct | direct p50, p99 | wanted |", "|---|---|---|---|---|---|---|"]
    for work, title in (("plain", "plain"), ("all", "everything on; peers: JWT HS256 + limit")):
        scenario = f"latency-{work}"
        for name in names(rows, scenario):
            its = of(rows, scenario, name)
            target = ""
            if name == OURS and work == "all":
                met = all(mid(its, f"{p}_added_us") <= most for p, most in LATENCY_US.items())
                target = f"p50 ≤ {LATENCY_US['p50']} µs, p99 ≤ {LATENCY_US['p99']} µs: {verdict(met)}"
            p50, p99 = (f"{mid(its, key):.0f} [{min(r[key] for r in its)}–{max(r[key] for r in its)}] µs" for key in ("p50_added_us", "p99_added_us"))
            direct = ", ".join(f"{mid(its, f'{p}_direct_us'):.0f}" for p in ("p50", "p99"))
            lines.append(f"| {title} | {bold(name)} | {mid(its, 'rate'):.0f} | {p50} | {p99} | {direct} µs | {target} |")
    return lines if len(lines) > 2 else []


def handshake_table(rows):
    """What a core could do in a second that did nothing else."""
    everyone = names(rows, "handshake") or names(rows, "handshake-resumed")
    lines = ["| TLS 1.3 handshakes per core-second (10⁶ ÷ CPU µs) | " + " | ".join(map(bold, everyone)) + " |", "|---" * (len(everyone) + 1) + "|"]
    for scenario, title in (("handshake", "full"), ("handshake-resumed", "resumed")):
        found = {n: of(rows, scenario, n) for n in everyone}
        if all(found.values()) and everyone:
            cells = " | ".join(f"{1e6 / mid(its, 'cpu_us'):.0f}" for its in found.values())
            lines.append(f"| {title} | {cells} |")
    return lines if len(lines) > 2 else []


def idle_table(rows):
    found = [k for k in IDLE_KIB if of(rows, k)]
    if not found:
        return []
    everyone = names(rows, found[0])
    count = of(rows, found[0])[0]["connections"]
    lines = [f"| MiB of 10 000 idle connections (from {count}) | " + " | ".join(map(bold, everyone)) + " | wanted |", "|---" * (len(everyone) + 2) + "|"]
    for kind in found:
        title, most = IDLE_KIB[kind]
        its = {r["name"]: r["kib"] * 10_000 / 1024 for r in of(rows, kind)}
        cells = " | ".join(f"{its[n]:.1f}" if n in its else "" for n in everyone)
        lines.append(f"| {title} | {cells} | ≤ {most} KiB each: {verdict(its[OURS] <= most * 10_000 / 1024)} |")
    return lines


def overload_table(rows):
    found = of(rows, "overload")
    if not found:
        return []
    row, share = found[0], found[0]["good_rps"] / found[0]["peak_rps"]
    refused = row["refused"]
    count, median = refused.get("count", 0), refused.get("p50_us", 0)
    return ["| overload | measured | wanted |", "|---|---|---|",
            f"| peak of the upstream, asked directly | {row['peak_rps']:.0f} answers/s | |",
            f"| good answers with {row['offered_rps']:.0f}/s offered | {row['good_rps']:.0f}/s, {share * 100:.0f} % of the peak | ≥ {GOODPUT_SHARE * 100:.0f} %: {verdict(share >= GOODPUT_SHARE)} |",
            f"| a refusal (503) takes, median of {count} | {median} µs (p99 {refused.get('p99_us', 0) / 1000:.1f} ms) | < 1 ms: {verdict(count > 0 and median < REFUSAL_US)} |",
            f"| a good answer takes then | p50 {row['accepted']['p50_us'] / 1000:.1f} ms, p99 {row['accepted']['p99_us'] / 1000:.1f} ms | |"]


def tables(rows, about):
    parts = [cpu_table(rows), handshake_table(rows), latency_table(rows), idle_table(rows), overload_table(rows)]
    return f"One run: {about}.\n\n" + "\n\n".join("\n".join(part) for part in parts if part)


def write(document, text):
    """Replaces what stands between the markers."""
    before, marker, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not marker or not end:
        raise RuntimeError(f"{document} has no place for the tables: {BEGIN} … {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
