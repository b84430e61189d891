"""How it is measured. Servers that are compared run side by side and their runs are interleaved, so that a noisy moment of the
machine meets all of them. What fails is kept with its reason, and the rest goes on; what takes too long is broken off.
"""
import contextlib
import json
import signal
import subprocess
import time

import servers


class Overdue(BaseException):
    """A section has had its time. No Exception, so that it is not taken for the failure of one server."""


def on_alarm(*_):
    raise Overdue


def client(build, program, *arguments):
    command = ["taskset", "-c", str(servers.CLIENT_CPU), str(build / program), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, timeout=60, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(map(str, arguments))}: {run.stderr.strip()}")
    return json.loads(run.stdout)


@contextlib.contextmanager
def holder(build, program, *arguments):
    """A client that opens what it is told, says how many, and holds them until the end of the block: that number."""
    process = subprocess.Popen([str(build / program), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield json.loads(process.stdout.readline() or "{}").get("open", 0)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()


def per_operation(server, run, field):
    """Server CPU microseconds per operation of one run of a client."""
    before = server.cpu_ns()
    result = run()
    if result[field] == 0:
        raise RuntimeError(f"no {field} of {server.name}")
    return (server.cpu_ns() - before) / 1000 / result[field]


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


class Bench:
    """What was measured: `samples` is {case: {name: [a value for each round]}}, `failures` [(what, why)]."""

    def __init__(self, build, plan):
        self.build, self.plan = build, plan
        self.samples, self.failures = {}, []
        self.end = time.monotonic() + plan.deadline

    def record(self, case, name, value):
        self.samples.setdefault(case, {}).setdefault(name, []).append(value)

    def fail(self, what, why):
        self.failures.append((what, str(why)))

    def run(self, name, measure, budget):
        """What goes wrong ends this section only; a budget in seconds bounds it, and so does what is left for the whole."""
        budget = min(budget, self.end - time.monotonic())
        if budget <= 0:
            return self.fail(name, "not measured: the time for the whole is over")
        former = signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, budget)
        try:
            measure(self)
        except Overdue:
            self.fail(name, f"broken off after {budget:.0f} seconds")
        except Exception as error:  # whatever it is: the other sections are worth having
            self.fail(name, error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
            servers.end_all()

    def start(self, stack, server):
        """The server when it runs, else None; it ends with the stack."""
        if not server.is_installed():
            server.discard()
            if self.plan.needs_peers:
                self.fail(server.name, "is not installed")
            return None
        try:
            return stack.enter_context(server)
        except Exception as error:
            self.fail(server.name, error)
            return None

    def interleave(self, what, entries, rounds=None):
        """entries: (name, measure), and measure() is {case: value}. One that fails is named with what it was asked, and asked no more."""
        entries = list(entries)
        for _ in range(rounds or self.plan.rounds):
            for entry in list(entries):
                name, measure = entry
                try:
                    for case, value in measure().items():
                        self.record(case, name, value)
                except Exception as error:
                    self.fail(f"{name}, {what}", error)
                    entries.remove(entry)
