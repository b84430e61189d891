"""Connections and their bytes: echo, idle memory, how long a short connection takes, who accepts, and files."""
import contextlib
import os
import socket

import servers
from measure import client, holder, per_operation, settle

STRATEGIES = ("shared", "exclusive", "mutex", "acceptor", "reuseport")
DEPTHS = (1, 16)


def echo_once(bench, server, depth):
    """CPU us per message of 64 bytes"""
    run = lambda: client(bench.build, "bench_echo_load", server.port, bench.plan.connections, depth, bench.plan.seconds)
    return per_operation(server, run, "messages")


def echo(bench):
    with contextlib.ExitStack() as stack:
        both = [bench.start(stack, server) for server in (servers.Bare(bench.build), servers.Drover(bench.build))]
        for depth in DEPTHS:
            bench.interleave(f"echo/{depth}", ((s.name, lambda s=s: {f"echo/{depth}": echo_once(bench, s, depth)}) for s in both if s))


def connections(bench):
    """CPU us per connection"""
    build = bench.build
    every = (("Drover echo", servers.Drover(build), "echo"),
             ("bare epoll loop", servers.Bare(build), "echo"),
             ("Drover return", servers.Drover(build, protocol="return"), "return"),
             ("nginx stream return", servers.Nginx("stream"), "return"),
             ("HAProxy http-request return", servers.Haproxy(), "http"))

    def once(server, mode):
        run = lambda: client(build, "bench_conn_load", server.port, mode, bench.plan.seconds)
        return {"connections": per_operation(server, run, "connections")}

    with contextlib.ExitStack() as stack:
        running = [(name, bench.start(stack, server), mode) for name, server, mode in every]
        bench.interleave("connections", ((name, lambda s=server, m=mode: once(s, m)) for name, server, mode in running if server))


def idle_once(bench, server, first):
    """Bytes of the server's own memory per idle connection"""
    before = settle(server.private_bytes)
    with holder(bench.build, "bench_idle_load", server.port, bench.plan.idle, first) as opened:
        if opened != bench.plan.idle:
            raise RuntimeError(f"{server.name}: not all idle connections were opened")
        return (settle(server.private_bytes) - before) / opened


def idle(bench):
    """nginx keeps some memory for each of worker_connections, whether it is used or not: it counts."""
    for server in (servers.Drover(bench.build), servers.Bare(bench.build)):
        with contextlib.ExitStack() as stack:
            if bench.start(stack, server):
                bench.record("idle", server.name, idle_once(bench, server, "talk"))
    with contextlib.ExitStack() as stack:
        many = bench.start(stack, servers.Nginx("http"))
        few = many and bench.start(stack, servers.Nginx("http", worker_connections=512))
        if few:
            prepared = (settle(many.private_bytes) - settle(few.private_bytes)) / (servers.MANY - 512)
            bench.record("idle", "nginx", prepared + idle_once(bench, many, "silent"))


def visit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"x")
        s.recv(1)


def spread(bench):
    """Who accepts connections that come one after the other, on 4 workers"""
    for strategy in STRATEGIES:
        with servers.Drover(bench.build, strategy, workers=4) as drover:
            before = drover.workers()
            for _ in range(bench.plan.visits):
                visit(drover.port)
            after = drover.workers()
        for field in ("accepted", "empty_wakeups"):
            for old, new in zip(before, after):
                bench.record(f"spread/{strategy}", field, new[field] - old[field])


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
                piece = s.recv_into(buffer)
            except BlockingIOError:
                continue
            if piece == 0:
                break
            got += piece
    return got


def file_once(server, family, size):
    """CPU ms to send a file of so many bytes"""
    path = os.path.join(server.folder, "file")
    if not os.path.exists(path):
        block = os.urandom(1 << 20)
        with open(path, "wb") as out:
            for _ in range(size >> 20):
                out.write(block)
    before = server.cpu_ns()
    if fetch(server, family, "file") != size:
        raise RuntimeError("the file came short")
    return (server.cpu_ns() - before) / 1e6


def files(bench):
    """Over loopback TCP the receiver's half of the kernel's work, its copy excepted, is done while the sender sends, so that both
    ways cost more than they would over a link; a unix socket has no such half."""
    everywhere = os.sched_getaffinity(0)
    with contextlib.ExitStack() as stack:
        ways = (("sendfile", servers.Drover(bench.build, protocol="files")),
                ("read and write", servers.Drover(bench.build, protocol="copying")))
        running = [(way, bench.start(stack, server)) for way, server in ways]
        stack.callback(os.sched_setaffinity, 0, everywhere)
        os.sched_setaffinity(0, {servers.CLIENT_CPU})
        for kind, family in (("unix", socket.AF_UNIX), ("TCP", socket.AF_INET)):
            case = f"files/{kind}"
            bench.interleave(case, ((way, lambda s=s: {case: file_once(s, family, bench.plan.file_bytes)}) for way, s in running if s))
