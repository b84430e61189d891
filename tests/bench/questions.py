"""What the bench is asked: a row of the report's first table, and of README's, each. Rows are answered from the samples of a run."""
import dataclasses
import statistics

import kvs_cases
import mux_cases

COLUMNS = ("question", "Drover", "beside it", "ratio", "wanted", "")


@dataclasses.dataclass(frozen=True)
class Wanted:
    word: str  # at most, at least
    figure: float
    of: str = "ratio"  # or "value"
    unit: str = ""

    def __str__(self):
        return f"{self.word} {self.figure:{',.0f' if self.of == 'value' else '.2f'}} {self.unit}".strip()

    def is_met(self, value):
        return value <= self.figure if self.word == "at most" else value >= self.figure


@dataclasses.dataclass(frozen=True)
class Question:
    text: str
    case: str
    unit: str
    ours: tuple
    beside: tuple = ()  # the best of them is compared
    wanted: Wanted = None
    more_is_better: bool = False


@dataclasses.dataclass(frozen=True)
class Answer:
    """Medians; `spread` is the smallest and the largest ratio of any round, where there were several."""
    ours: tuple  # of (name, value)
    best: tuple = None
    ratios: tuple = ()
    spread: tuple = ()

    def meets(self, wanted):
        """Ratios as they are shown, so that none is told to miss what it seems to meet."""
        values = [round(ratio, 2) for ratio in self.ratios] if wanted.of == "ratio" else [value for _, value in self.ours]
        return bool(values) and all(map(wanted.is_met, values))


def answer(question, samples):
    """None when the run has no answer."""
    case = samples.get(question.case, {})
    ours = [(name, statistics.median(case[name])) for name in question.ours if case.get(name)]
    beside = [(name, statistics.median(case[name])) for name in question.beside if case.get(name)]
    if len(ours) < len(question.ours) or (question.beside and not beside):
        return None
    if not beside:
        return Answer(tuple(ours))
    best = (max if question.more_is_better else min)(beside, key=lambda pair: pair[1])
    rounds = [mine / other for name, _ in ours for mine, other in zip(case[name], case[best[0]])]
    spread = (min(rounds), max(rounds)) if len(rounds) > len(ours) else ()
    return Answer(tuple(ours), best, tuple(value / best[1] for _, value in ours), spread)


def at_most(figure, of="ratio", unit=""):
    return Wanted("at most", figure, of, unit)


def at_least(figure):
    return Wanted("at least", figure)


STREAMS = tuple(f"Drover, {mux_cases.NAMES[library]}" for library in mux_cases.LIBRARIES)
GO = tuple(f"Go {mux_cases.NAMES[library]}" for library in mux_cases.LIBRARIES)
CPU = "us"  # of CPU time of the server, for each


def streams(delay, at_once, text):
    return Question(text, f"mux/{delay}/{at_once}", CPU, STREAMS, GO, at_most(0.25))


QUESTIONS = (
    Question("echo, 64 bytes, 64 connections, depth 1: CPU a message", "echo/1", CPU, ("Drover",), ("bare epoll loop",), at_most(1.1)),
    Question("the same, depth 16", "echo/16", CPU, ("Drover",), ("bare epoll loop",), at_most(1.1)),
    Question("user-space memory of an idle connection", "idle", "bytes", ("Drover",), ("nginx",), at_most(300, "value", "bytes")),
    Question("connect, a message sent, close: CPU a connection", "connections", CPU, ("Drover return",), ("nginx stream return",), at_most(1)),
    Question("connect, a message answered, close", "connections", CPU, ("Drover echo",), ("HAProxy http-request return",), at_most(1)),
    Question("a file of 1 GiB to a unix socket: CPU", "files/unix", "ms", ("sendfile",), ("read and write",), at_most(0.33)),
    Question("the same over loopback TCP", "files/TCP", "ms", ("sendfile",), ("read and write",)),
    Question("key-value GET, a million paths, 64 connections, depth 16: CPU a request", "kvs/get/16", CPU, ("Drover",), ("Redis",),
             at_most(0.5)),
    Question("the same beside memcached", "kvs/get/16", CPU, ("Drover",), ("memcached",), at_most(0.2)),
    Question("the same beside echo of as many messages: what the kernel takes", "kvs/get/16", CPU, ("Drover",), (kvs_cases.FLOOR,)),
    Question("GET, depth 1", "kvs/get/1", CPU, ("Drover",), ("Redis",)),
    Question("GET, depth 64", "kvs/get/64", CPU, ("Drover",), ("Redis",)),
    Question("SET, depth 16", "kvs/set/16", CPU, ("Drover",), ("Redis",)),
    Question("LPM three levels below a stored path, depth 16", "kvs/lpm/16", CPU, ("Drover",)),
    Question("memory of an item, of which key and value are 117 bytes", "kvs/memory", "bytes", ("Drover",), ("Redis", "memcached")),
    Question("in the process: GET", "store/ns", "ns", ("GET",), wanted=at_most(800, "value", "ns")),
    Question("in the process: LPM by byte, three levels below, beside GET", "store/ns", "ns", ("LPM by byte, the key three levels up",),
             ("GET",), at_most(2)),
    Question("in the process: bytes of an item beside key and value", "store bytes", "bytes", ("all",),
             wanted=at_most(60, "value", "bytes")),
    streams(0, 10, "streams, a request of 2,727 bytes and an answer of 207 each, 10 at once: CPU a request"),
    streams(0, 100, "the same, 100 at once"),
    streams(0, 350, "the same, 350 at once"),
    streams(10, 10, "answered after 10 ms, 10 at once"),
    streams(10, 100, "answered after 10 ms, 100 at once"),
    streams(10, 350, "answered after 10 ms, 350 at once"),
    Question("one stream up: MB a CPU second", "bulk/up", "MB", STREAMS, GO, at_least(2), more_is_better=True),
    Question("the same beside bytes without streams: what the kernel takes", "bulk/up", "MB", STREAMS, (mux_cases.FLOOR,), more_is_better=True),
    Question("one stream down: MB a CPU second", "bulk/down", "MB", STREAMS, GO, at_least(2), more_is_better=True),
    Question("the same beside bytes without streams: what the kernel takes", "bulk/down", "MB", STREAMS, (mux_cases.FLOOR,),
             more_is_better=True),
    Question("memory of an idle stream", "stream memory", "bytes", STREAMS, wanted=at_most(1024, "value", "bytes")),
)
