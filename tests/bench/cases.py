"""The measurements. Servers that are compared run side by side and their runs are interleaved, so that a noisy moment
of the machine meets all of them; of the runs the median counts."""
import contextlib
import json
import os
import socket
import statistics
import subprocess
import time

import servers

ROUNDS = 9
SECONDS = 1.2  # of a run
CONNECTIONS = 64
IDLE = 15_000
STRATEGIES = ("shared", "exclusive", "mutex", "acceptor", "reuseport")


def client(build, program, *arguments):
    command = ["taskset", "-c", str(servers.CLIENT_CPU), str(build / program), *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


def per_operation(server, run, field):
    """Server CPU microseconds per operation of one run of a client."""
    before = server.cpu_ns()
    result = run()
    return (server.cpu_ns() - before) / 1000 / max(1, result[field])


def echo_once(build, server, depth, seconds):
    run = lambda: client(build, "bench_echo_load", server.port, CONNECTIONS, depth, seconds)
    return per_operation(server, run, "messages")


def conn_once(build, server, mode, seconds):
    run = lambda: client(build, "bench_conn_load", server.port, mode, seconds)
    return per_operation(server, run, "connections")


def interleaved(entries, measure, rounds=ROUNDS):
    """Medians by name; entries are (name, what measure takes)."""
    values = {name: [] for name, _ in entries}
    for _ in range(rounds):
        for name, entry in entries:
            values[name].append(measure(entry))
    return {name: statistics.median(runs) for name, runs in values.items()}


def echo(build):
    """{depth: {server: CPU us per message}}"""
    with servers.Bare(build) as bare, servers.Drover(build) as drover:
        pair = [(bare.name, bare), (drover.name, drover)]
        return {depth: interleaved(pair, lambda s: echo_once(build, s, depth, SECONDS)) for depth in (1, 16)}


def connections(build):
    """{server: CPU us per connection}"""
    with servers.Drover(build) as drover, servers.Bare(build) as bare, \
            servers.Drover(build, protocol="return") as returning, \
            servers.Nginx("stream") as nginx, servers.Haproxy() as haproxy:
        entries = [("bare epoll loop", (bare, "echo")), ("Drover echo", (drover, "echo")),
                   ("Drover return", (returning, "return")), ("nginx stream return", (nginx, "return")), ("HAProxy http-request return", (haproxy, "http"))]
        return interleaved(entries, lambda e: conn_once(build, *e, SECONDS))


def fetch(server, family, name):
    """Reads a file to its end; returns its length. It never sleeps: to wake a sleeping reader costs the sender, whatever it sends."""
    got = 0
    buffer = bytearray(1 << 20)
    with socket.socket(family) as s:
        s.connect(("127.0.0.1", server.port) if family == socket.AF_INET else os.path.join(server.folder, "socket"))
        s.sendall(name.encode() + b"\n")
        length = b""
        while not length.endswith(b"\n"):
            length += s.recv(1)
        s.setblocking(False)
        size = int(length)
        while got < size:
            try:
                got += s.recv_into(buffer)
            except BlockingIOError:
                pass
    return got


def file_once(server, family, size):
    """Server CPU milliseconds to send a file of so many bytes."""
    path = os.path.join(server.folder, "file")
    if not os.path.exists(path):
        with open(path, "wb") as out:
            for _ in range(size >> 20):
                out.write(os.urandom(1 << 20))
    before = server.cpu_ns()
    if fetch(server, family, "file") != size:
        raise RuntimeError("the file came short")
    return (server.cpu_ns() - before) / 1e6


def files(build, size=1 << 30):
    """{way: CPU ms to send a gigabyte}. Over loopback TCP the receiver's half of the kernel's work, its copy excepted, is done
    while the sender sends, so that both ways cost more than they would over a link; a unix socket has no such half."""
    with servers.Drover(build, protocol="files") as sending, servers.Drover(build, protocol="copying") as copying:
        entries = [(f"{way}, {kind} socket", (server, family)) for kind, family in (("unix", socket.AF_UNIX), ("TCP", socket.AF_INET))
                   for way, server in (("sendfile", sending), ("read and write", copying))]
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {servers.CLIENT_CPU})
        try:
            return interleaved(entries, lambda entry: file_once(*entry, size))
        finally:
            os.sched_setaffinity(0, everywhere)


def settle(read):
    """A value that has stopped changing: servers finish their accepting in their own time."""
    last = read()
    for _ in range(100):
        time.sleep(0.05)
        now = read()
        if now == last:
            return now
        last = now
    return last


def idle_once(build, server, count, first):
    """Bytes of the server's own memory per idle connection."""
    before = settle(server.private_bytes)
    holder = subprocess.Popen([str(build / "bench_idle_load"), str(server.port), str(count), first],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if json.loads(holder.stdout.readline())["open"] != count:
        raise RuntimeError("not all idle connections were opened")
    after = settle(server.private_bytes)
    holder.communicate()
    return (after - before) / count


def idle(build):
    """{what: bytes per connection}"""
    found = {}
    with servers.Drover(build) as drover:
        found["Drover, after one message"] = idle_once(build, drover, IDLE, "talk")
    with servers.Bare(build) as bare:
        found["bare epoll loop"] = idle_once(build, bare, IDLE, "talk")
    with servers.Nginx("http") as nginx:
        prepared = settle(nginx.private_bytes)
        found["nginx http, before the request"] = idle_once(build, nginx, IDLE, "silent")
    with servers.Nginx("http", worker_connections=512) as small:
        found["nginx, preallocated per worker_connection"] = (prepared - settle(small.private_bytes)) / (servers.MANY - 512)
    return found


def visit(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"x")
        s.recv(1)


def distribution(build):
    """{strategy: (accepted by slot, empty wake-ups by slot)} of 200 connections, one after the other, on 4 workers."""
    found = {}
    for strategy in STRATEGIES:
        with servers.Drover(build, strategy, workers=4) as drover:
            before = drover.workers()
            for _ in range(200):
                visit(drover.port)
            after = drover.workers()
        change = lambda field: [b[field] - a[field] for a, b in zip(before, after)]
        found[strategy] = (change("accepted"), change("empty_wakeups"))
    return found


def kvs_once(build, server, request, depth, seconds, items):
    dialect = f"{server.dialect}-{request}"
    run = lambda: client(build, "bench_kvs_load", server.port, dialect, CONNECTIONS, depth, seconds, items)
    return per_operation(server, run, "requests")


def kvs_load(build, server, items):
    """Stores all paths; returns the bytes of memory that each took."""
    before = settle(server.resident_bytes)
    kvs_once(build, server, "set", depth=16, seconds=0, items=items)
    return (settle(server.resident_bytes) - before) / items


def kvs(build, items=1_000_000):
    """({server: bytes per item}, {(request, depth): {server: CPU us per request}})"""
    megabytes = 64 + items * 500 // 1_000_000
    with servers.Kvs(build, megabytes) as one, servers.Kvs(build, megabytes, workers=2) as two, \
            servers.Redis() as redis, servers.Memcached(megabytes) as memcached:
        everybody = [one, two, redis, memcached]
        memory = {server.name: kvs_load(build, server, items) for server in everybody}
        found = {}
        for request in ("get", "lpm", "set"):
            entries = [(s.name, s) for s in everybody if request != "lpm" or s.dialect == "kv1"]
            for depth in (1, 16, 64):
                found[request, depth] = interleaved(entries, lambda s: kvs_once(build, s, request, depth, SECONDS, items), rounds=5)
        return memory, found


LIBRARIES = ("yamux", "smux1", "smux2")
MUX_REQUESTS = 10_000


def mux_entries(stack, build, directives):
    """[(name, (server, protocol))]: each of the Go libraries, and Drover, which tells the protocols apart by itself."""
    go = [stack.enter_context(servers.GoMux(build, library, directives)) for library in LIBRARIES]
    drover = stack.enter_context(servers.Mux(build, directives))
    ours = [(f"Drover, {protocol}", (drover, protocol)) for protocol in (*LIBRARIES, "smux")]
    return [(server.name, (server, server.library)) for server in go] + ours


def mux_once(build, entry, load, count, at_once=1):
    """(server CPU us per request or byte, requests or bytes a second) of one run."""
    server, protocol = entry
    before = server.cpu_ns()
    result = client(build, "bench_mux_load", server.port, protocol, load, count, at_once)
    cost = (server.cpu_ns() - before) / 1000 / max(1, result["count"])
    return cost, result["count"] / max(result["seconds"], 1e-3)


def interleaved_pairs(entries, measure, rounds):
    """As interleaved, for measures of more than one value: each has its own median."""
    values = {name: [] for name, _ in entries}
    for _ in range(rounds):
        for name, entry in entries:
            values[name].append(measure(entry))
    return {name: tuple(map(statistics.median, zip(*runs))) for name, runs in values.items()}


def mux_requests(build, rounds, requests=MUX_REQUESTS):
    """{(delay ms, at once): {server: (CPU us per request, requests a second)}}"""
    found = {}
    for delay in (0, 10):
        with contextlib.ExitStack() as stack:
            entries = mux_entries(stack, build, {"delay": f"{delay}ms"})
            for at_once in (10, 100, 350):
                # The delay makes so few at once take so long, and a fifth of them cost the same each.
                count = requests // 5 if (delay, at_once) == (10, 10) else requests
                run = lambda entry: mux_once(build, entry, "requests", count, at_once)
                found[delay, at_once] = interleaved_pairs(entries, run, rounds)
    return found


def mux_bulk(build, rounds, size=1 << 30):
    """{direction: {server: (CPU us per byte, bytes a second)}} of one stream; smux keeps whole messages, and has none."""
    found = {}
    for load, directives in (("upload", {"request": 0}), ("download", {"request": 1, "answer": 1 << 40})):
        with contextlib.ExitStack() as stack:
            entries = [e for e in mux_entries(stack, build, directives) if e[1][1] != "smux"]
            found[load] = interleaved_pairs(entries, lambda entry: mux_once(build, entry, load, size), rounds)
    return found


def mux_idle(build, count=100_000):
    """{protocol: bytes of the worker's memory per stream}; of smux, which opens one with its request, none is idle."""
    found = {}
    for protocol in LIBRARIES:
        with servers.Mux(build, {}) as drover:
            before = settle(drover.resident_bytes)
            holder = subprocess.Popen([str(build / "bench_mux_load"), str(drover.port), protocol, "idle", str(count), "1"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if json.loads(holder.stdout.readline() or "{}").get("open") != count:
                raise RuntimeError(f"not all idle streams of {protocol} were opened")
            found[protocol] = (settle(drover.resident_bytes) - before) / count
            holder.communicate()
    return found


def mux(build, rounds=5):
    return mux_requests(build, rounds), mux_bulk(build, rounds=3), mux_idle(build)
