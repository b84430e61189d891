"""The measurements as Markdown, with what is needed to read them: machine, kernel, versions, preset, command."""
import pathlib
import platform
import shutil
import subprocess

import servers


def first_line(*command):
    if shutil.which(command[0]) is None:
        return f"no {command[0]}"
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.stdout.splitlines()[0] if run.stdout else "?"


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def heading(build):
    return f"""# Drover bench

- machine: {cpu_model()}, {len(servers.CPUS)} CPUs; servers on CPU {servers.SERVER_CPU}, clients on CPU {servers.CLIENT_CPU}
- kernel: {platform.release()}
- versions: {first_line(str(build / "drover"), "-v")}; {first_line("nginx", "-v")}; {first_line("haproxy", "-v")};
  {first_line("redis-server", "-v")}; {first_line("memcached", "-V")};
  {first_line("go", "version")}, its libraries those of Debian
- preset: {build.name}; command: `tests/bench/run`; one worker each; medians of interleaved runs
"""


def echo_table(results):
    lines = ["## Echo, 64 bytes, 64 connections: server CPU per message", "",
             "| depth | bare loop us | Drover us | ratio | target |", "|---|---|---|---|---|"]
    for depth, by_server in results.items():
        bare, drover = by_server["bare epoll loop"], by_server["Drover"]
        lines.append(f"| {depth} | {bare:.2f} | {drover:.2f} | {drover / bare:.2f} | <= 1.10 |")
    return "\n".join(lines) + "\n"


def idle_table(results):
    lines = ["## Memory per idle connection (user space, 15,000 connections)", "", "| server | bytes | target |",
             "|---|---|---|"]
    for name, size in results.items():
        lines.append(f"| {name} | {size:.0f} | {'<= 300' if name.startswith('Drover') else ''} |")
    return "\n".join(lines) + "\n"


def connection_table(results):
    lines = ["## Connect, one message, close: connections per second of server CPU", "",
             "| server | us per connection | connections / CPU s |", "|---|---|---|"]
    for name, cost in results.items():
        lines.append(f"| {name} | {cost:.1f} | {1e6 / cost:,.0f} |")
    nginx, haproxy = results["nginx stream return"], results["HAProxy http-request return"]
    return "\n".join(lines) + f"""

The same work, sent at accept and closed: Drover serves {nginx / results["Drover return"]:.2f}x the connections of nginx per CPU
second (target >= 1). A message read and answered: Drover serves {haproxy / results["Drover echo"]:.2f}x those of HAProxy (target >= 1),
which has no answer of its own in tcp mode and parses a minimal HTTP request.
"""


def distribution_table(results):
    lines = ["## 200 connections one after the other on 4 idle workers", "",
             "| accept | accepted by slot | max/min | empty wake-ups by slot |", "|---|---|---|---|"]
    for strategy, (accepted, empty) in results.items():
        ratio = f"{max(accepted) / min(accepted):.2f}" if min(accepted) > 0 else "-"
        lines.append(f"| {strategy} | {' / '.join(map(str, accepted))} | {ratio} | {' / '.join(map(str, empty))} |")
    return "\n".join(lines) + "\n"


def files_table(results):
    lines = ["## A file of 1 GiB to one client: server CPU", "", "| way | ms |", "|---|---|"]
    for way, cost in results.items():
        lines.append(f"| {way} | {cost:.0f} |")
    ratio = lambda kind: results[f"sendfile, {kind} socket"] / results[f"read and write, {kind} socket"]
    return "\n".join(lines) + (f"\n\nsendfile costs {ratio('unix'):.2f}x of reading and writing to a unix socket (target < 0.33), "
                               f"{ratio('TCP'):.2f}x over loopback TCP.\n")


def kvs_table(memory, found):
    names = list(memory)
    lines = ["## Key-value servers, 64 connections, paths of some 85 bytes, values of 32: server CPU us per request", "",
             "| request | depth | " + " | ".join(names) + " | of Redis | of memcached |", "|---|---|" + "---|" * (len(names) + 2)]
    for (request, depth), cost in found.items():
        cells = [f"{cost[name]:.2f}" if name in cost else "" for name in names]
        ratios = [f"{cost['Drover'] / cost[peer]:.2f}" if peer in cost else "" for peer in ("Redis", "memcached")]
        lines.append(f"| {request} | {depth} | " + " | ".join(cells + ratios) + " |")
    lines += ["", "Targets for get at depth 16: 0.5 of Redis, 0.2 of memcached. LPM asks three levels below a stored path.", "",
              "| server | bytes of memory per item, its key and value included |", "|---|---|"]
    lines += [f"| {name} | {size:.0f} |" for name, size in memory.items()]
    return "\n".join(lines) + "\n"


def best_of_go(by_server, better):
    return better(pair for name, pair in by_server.items() if name.startswith("Go "))


def mux_requests_table(found):
    names = list(next(iter(found.values())))
    lines = ["## Streams: a request of 2,727 bytes and an answer of 207, each on a stream of its own, one connection", "",
             "Server CPU us per request (requests a second); the ratio is that of CPU to the best of the Go servers, target <= 0.25.", "",
             "| delay | at once | " + " | ".join(names) + " | ratios |", "|---|---|" + "---|" * (len(names) + 1)]
    for (delay, at_once), by_server in found.items():
        cells = [f"{by_server[name][0]:.1f} ({by_server[name][1]:,.0f})" for name in names]
        best = best_of_go(by_server, min)[0]
        ratios = " / ".join(f"{by_server[name][0] / best:.2f}" for name in names if name.startswith("Drover"))
        lines.append(f"| {delay} ms | {at_once} | " + " | ".join(cells) + f" | {ratios} |")
    return "\n".join(lines) + "\n"


def mux_bulk_table(found):
    lines = ["## Streams: one that carries a gigabyte", "",
             "| direction | server | MB per second of server CPU | MB/s | of the best of the Go servers (target >= 2) |", "|---|---|---|---|---|"]
    for direction, by_server in found.items():
        best = best_of_go(by_server, min)[0]
        for name, (cost, rate) in by_server.items():
            ratio = f"{best / cost:.2f}" if name.startswith("Drover") else ""
            lines.append(f"| {direction} | {name} | {1 / cost:,.0f} | {rate / 1e6:,.0f} | {ratio} |")
    return "\n".join(lines) + "\n"


def mux_idle_table(found):
    lines = ["## Streams: 100,000 that are idle, in one worker", "", "| protocol | bytes of memory each, all included (target <= 1,024) |",
             "|---|---|"]
    lines += [f"| {protocol} | {size:.0f} |" for protocol, size in found.items()]
    return "\n".join(lines) + "\n"


def mux_tables(requests, bulk, idle):
    return "\n".join([mux_requests_table(requests), mux_bulk_table(bulk), mux_idle_table(idle)])


def write(build, echo, idle, connections, distribution, files, kvs, mux):
    return "\n".join([heading(build), echo_table(echo), idle_table(idle), connection_table(connections),
                      distribution_table(distribution), files_table(files), kvs_table(*kvs), mux_tables(*mux)])
