"""Key-value servers with many paths, and the store by itself."""
import contextlib
import json
import re
import subprocess

import servers
from connection_cases import echo_once
from measure import per_operation, settle

DEPTHS = (1, 16, 64)
FLOOR = "floor: bare echo"


class Client:
    """One program for all runs: to make the paths takes longer than a run. It ends when a server fails it, and is started again for
    the others."""

    def __init__(self, bench):
        self.bench = bench
        self.start()

    def start(self):
        bench = self.bench
        self.process = subprocess.Popen(["taskset", "-c", str(servers.CLIENT_CPU), str(bench.build / "bench_kvs_load"), str(bench.plan.items)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def give_up(self):
        why = self.process.stderr.read().strip()
        self.process.communicate()
        self.start()
        raise RuntimeError(f"bench_kvs_load: {why}")

    def ask(self, server, request, depth, seconds):
        self.process.stdin.write(f"{server.port} {server.dialect}-{request} {self.bench.plan.connections} {depth} {seconds}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline() or self.give_up())

    def cost(self, server, request, depth, seconds):
        """CPU us per request"""
        return per_operation(server, lambda: self.ask(server, request, depth, seconds), "requests")


def kvs(bench):
    megabytes = 64 + bench.plan.items * 500 // 1_000_000
    every = (servers.Kvs(bench.build, megabytes), servers.Kvs(bench.build, megabytes, workers=2), servers.Redis(), servers.Memcached(megabytes))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Client(bench))
        bare = bench.start(stack, servers.Bare(bench.build))
        running = [server for server in every if bench.start(stack, server)]
        bench.interleave("kvs/memory", ((s.name, lambda s=s: {"kvs/memory": load(bench, client, s)}) for s in running), rounds=1)
        for request in ("get", "lpm", "set"):
            for depth in DEPTHS:
                measure_all(bench, client, running, request, depth, bare if request == "get" else None)


def load(bench, client, server):
    """Stores all paths: bytes of memory that each took"""
    before = settle(server.resident_bytes)
    client.ask(server, "set", depth=16, seconds=0)
    return (settle(server.resident_bytes) - before) / bench.plan.items


def measure_all(bench, client, running, request, depth, bare):
    case = f"kvs/{request}/{depth}"
    asked = [s for s in running if request != "lpm" or s.dialect == "kv1"]
    entries = [(s.name, lambda s=s: {case: client.cost(s, request, depth, bench.plan.kvs_seconds)}) for s in asked]
    if bare:
        entries.append((FLOOR, lambda: {case: echo_once(bench, bare, depth)}))
    bench.interleave(case, entries)


def store(bench):
    """The store without a server: ns of CPU for a request, and bytes beside key and value"""
    for _ in range(bench.plan.store_rounds):
        said = run_alone(bench, "bench_kvs_store")
        for what, ns in re.findall(r"^(.+?) +(\d+) ns$", said, re.MULTILINE):
            bench.record("store/ns", what, float(ns))
        bench.record("store bytes", "all", float(re.search(r"([\d.]+) with buckets and markers", said).group(1)))
        for items, repair, collection in re.findall(r"(\d+) items,.*repair +([\d.]+) us, collection +([\d.]+) us", run_alone(bench, "bench_kvs_repair")):
            bench.record(f"store after a kill/{items}", "repair", float(repair))
            bench.record(f"store after a kill/{items}", "collection", float(collection))


def run_alone(bench, program):
    command = ["taskset", "-c", str(servers.CLIENT_CPU), str(bench.build / program), str(bench.plan.items)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120, text=True).stdout
