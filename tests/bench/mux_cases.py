"""Streams: Drover's module mux beside servers made of the Go libraries."""
import contextlib

import servers
from measure import client, holder, settle

LIBRARIES = ("yamux", "smux1", "smux2")
NAMES = {"yamux": "yamux", "smux1": "xtaci/smux v1", "smux2": "xtaci/smux v2", "smux": "monochromegane/smux"}
DELAYS = (0, 10)  # ms
AT_ONCE = (10, 100, 350)
FLOOR = "floor: bare epoll loop"


def entries(bench, stack, directives, protocols):
    """[(name, server, protocol)]: each of the Go libraries, and Drover, which tells the protocols apart by itself."""
    every = [(f"Go {NAMES[library]}", bench.start(stack, servers.GoMux(bench.build, library, directives)), library) for library in LIBRARIES]
    drover = bench.start(stack, servers.Mux(bench.build, directives))
    every += [(f"Drover, {NAMES[protocol]}", drover, protocol) for protocol in protocols]
    return [entry for entry in every if entry[1]]


def once(bench, server, protocol, load, count, at_once=1):
    """(server CPU us per request or byte, requests or bytes a second) of one run"""
    before = server.cpu_ns()
    result = client(bench.build, "bench_mux_load", server.port, protocol, load, count, at_once)
    if result["count"] == 0:
        raise RuntimeError(f"nothing of a {load} was done")
    return (server.cpu_ns() - before) / 1000 / result["count"], result["count"] / max(result["seconds"], 1e-3)


def requests(bench, delay):
    def run(server, protocol, at_once):
        # The delay makes so few at once take so long, and a tenth of them cost the same each.
        count = bench.plan.mux_requests // 10 if (delay, at_once) == (10, 10) else bench.plan.mux_requests
        cost, rate = once(bench, server, protocol, "requests", count, at_once)
        return {f"mux/{delay}/{at_once}": cost, f"mux rate/{delay}/{at_once}": rate}

    with contextlib.ExitStack() as stack:
        every = entries(bench, stack, {"delay": f"{delay}ms"}, (*LIBRARIES, "smux"))
        for at_once in AT_ONCE:
            bench.interleave(f"mux/{delay}/{at_once}", ((name, lambda s=s, p=p: run(s, p, at_once)) for name, s, p in every))


def bulk(bench, direction):
    """MB a CPU second of one stream; smux keeps whole messages, and has none. The floor is without streams: what the kernel takes."""
    directives = {"up": {"request": 0}, "down": {"request": 1, "answer": 1 << 40}}[direction]

    def run(server, protocol):
        cost, rate = once(bench, server, protocol, f"{direction}load", bench.plan.bulk_bytes)
        return {f"bulk/{direction}": 1 / cost, f"bulk rate/{direction}": rate / 1e6}

    with contextlib.ExitStack() as stack:
        every = entries(bench, stack, directives, LIBRARIES)
        bare = bench.start(stack, servers.BareBulk(bench.build, direction))
        every += [(FLOOR, bare, "raw")] if bare else []
        bench.interleave(f"bulk/{direction}", ((name, lambda s=s, p=p: run(s, p)) for name, s, p in every))


def idle(bench):
    """Bytes of the worker's memory per stream; of smux, which opens one with its request, none is idle."""
    count = bench.plan.idle_streams
    for protocol in LIBRARIES:
        with servers.Mux(bench.build, {}) as drover:
            before = settle(drover.resident_bytes)
            with holder(bench.build, "bench_mux_load", drover.port, protocol, "idle", count, 1) as opened:
                if opened != count:
                    raise RuntimeError(f"not all idle streams of {protocol} were opened")
                bench.record("stream memory", f"Drover, {NAMES[protocol]}", (settle(drover.resident_bytes) - before) / count)
