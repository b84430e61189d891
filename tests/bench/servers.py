"""The servers that are measured: each a context manager with a name, a port and the CPU time and memory it has used.
All run one worker (unless asked otherwise) on SERVER_CPU, with a configuration in a folder of their own."""
import contextlib
import glob
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]
MANY = 16_000  # connections a server must be able to hold
ALIVE = []


def end_all():
    """Those that a broken-off measurement has left."""
    for server in list(ALIVE):
        server.__exit__()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descendants(pid):
    children = []
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in pathlib.Path(task).read_text().split():
            children += [int(child)] + descendants(int(child))
    return children


class Server:
    """Subclasses say how they are called and configured; `command` is run with the folder as its prefix."""
    name = ""
    pin = True
    needs = ()  # files beside the program itself

    def __init__(self):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="drover-bench.")
        os.chmod(self.folder, 0o755)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_text(text.replace("{port}", str(self.port)).replace("{dir}", self.folder))
        return path

    def is_installed(self):
        return shutil.which(self.command()[0]) is not None and all(map(os.path.exists, self.needs))

    def discard(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        pinned = ["taskset", "-c", str(SERVER_CPU)] if self.pin else []
        log = open(os.path.join(self.folder, "output"), "wb")
        self.process = subprocess.Popen(pinned + self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ALIVE.append(self)
        deadline = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                said = pathlib.Path(self.folder, "output").read_text()
                self.__exit__()
                raise RuntimeError(f"{self.name} did not start:\n{said}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        family = self.pids()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self.process.wait()
        if self in ALIVE:
            ALIVE.remove(self)
        self.discard()

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def pids(self):
        return [self.process.pid] + descendants(self.process.pid)

    def cpu_ns(self):
        """On-CPU nanoseconds of all threads of all processes."""
        tasks = [t for pid in self.pids() for t in glob.glob(f"/proc/{pid}/task/*/schedstat")]
        return sum(int(pathlib.Path(t).read_text().split()[0]) for t in tasks)

    def resident_bytes(self):
        """User-space memory, what these processes share with each other counted once."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def private_bytes(self):
        """User-space memory that is these processes' own; what the kernel keeps for sockets is not in it."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_Dirty:"):
                    total += int(line.split()[1]) * 1024
        return total


class Bare(Server):
    name = "bare epoll loop"

    def __init__(self, build):
        super().__init__()
        self.program = build / "bench_bare_echo"

    def command(self):
        return [str(self.program), str(self.port)]


class BareBulk(Server):
    """Nothing but the kernel's work: `down` only writes, `up` only reads."""
    name = "bare epoll loop"

    def __init__(self, build, direction):
        super().__init__()
        self.program, self.direction = build / "bench_bare_bulk", direction

    def command(self):
        return [str(self.program), str(self.port), self.direction]


class Drover(Server):
    name = "Drover"

    def __init__(self, build, accept="exclusive", workers=1, protocol="echo", server="", sections=""):
        super().__init__()
        self.binary = str(build / "drover")
        self.pin = workers == 1
        folders = {"echo": "modules", "kvs": "modules", "files": "test-modules"}
        module = build / folders.get(protocol, "bench-modules") / f"{protocol}.so"
        self.config = self.write("drover.conf", f"""[drover]
workers = {workers}
control = {{dir}}/control.sock
working_directory = {{dir}}
load = {module}
[server echo]
listen = 127.0.0.1:{{port}}
{"listen = unix:{dir}/socket" if protocol in ("files", "copying") else ""}
accept = {accept}
protocol = {protocol}
{server}
{sections}
""")

    def drover(self, *arguments):
        return [self.binary, "-c", self.config, "-p", self.folder, *arguments]

    def command(self):
        return self.drover("-F")

    def workers(self):
        out = subprocess.run(self.drover("-s", "status", "--json"), capture_output=True, check=True).stdout
        return [w for g in json.loads(out)["generations"] if g["state"] == "serving" for w in g["workers"]]


STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


class Nginx(Server):
    """`stream`: return on accept, without reading. `http`: what waits for a request is an idle connection."""
    name = "nginx"

    def __init__(self, kind, worker_connections=MANY):
        super().__init__()
        stream = "stream { server { listen 127.0.0.1:{port} backlog=4096; return dddddddd; } }"
        http = "http { access_log off; client_header_timeout 600s; server { listen 127.0.0.1:{port}; return 204; } }"
        self.needs = (STREAM_MODULE,) if kind == "stream" else ()
        module = f"load_module {STREAM_MODULE};" if kind == "stream" else ""
        self.config = self.write("nginx.conf", f"""{module}
daemon off; worker_processes 1; pid {{dir}}/nginx.pid; error_log stderr crit; user root;
events {{ worker_connections {worker_connections}; multi_accept off; }}
{stream if kind == "stream" else http}
""")

    def command(self):
        return ["nginx", "-c", self.config, "-p", self.folder, "-e", "stderr"]


class Haproxy(Server):
    """HAProxy has no answer of its own in tcp mode, so it parses a minimal HTTP request and returns eight bytes."""
    name = "HAProxy"

    def __init__(self):
        super().__init__()
        self.config = self.write("haproxy.cfg", """global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 10s
frontend bench
    bind 127.0.0.1:{port}
    option http-server-close
    http-request return status 200 content-type text/plain string dddddddd
""")

    def command(self):
        return ["haproxy", "-db", "-f", self.config]


class Kvs(Drover):
    """The key-value module."""
    dialect = "kv1"

    def __init__(self, build, megabytes, workers=1):
        super().__init__(build, workers=workers, protocol="kvs", server="kvs.zone = data",
                         sections=f"[zone data]\nsize = {megabytes}m")
        self.name = "Drover" if workers == 1 else f"Drover, {workers} workers"


class Redis(Server):
    name = "Redis"
    dialect = "redis"

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--dir", self.folder]


class Memcached(Server):
    name = "memcached"
    dialect = "memcached"

    def __init__(self, megabytes):
        super().__init__()
        self.megabytes = megabytes

    def command(self):
        return ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(self.port), "-t", "1", "-m", str(self.megabytes),
                "-R", "1000", "-o", "no_modern"]


class Mux(Drover):
    """The multiplexer, with streams that are asked and answer: `directives` are those of rr_module.cpp."""
    name = "Drover"

    def __init__(self, build, directives):
        Server.__init__(self)
        self.binary = str(build / "drover")
        lines = "\n".join(f"rr.{name} = {value}" for name, value in directives.items())
        self.config = self.write("drover.conf", f"""[drover]
workers = 1
worker_streams = 200000
control = {{dir}}/control.sock
load = {build / "modules/mux.so"}
load = {build / "bench-modules/rr.so"}
[server asked]
protocol = rr
idle_timeout = 1h
{lines}
[server streams]
listen = 127.0.0.1:{{port}}
protocol = mux
mux.serve = asked
mux.max_streams = 20000
""")


class GoMux(Server):
    """One of the Go libraries: yamux, or xtaci/smux as smux1 and smux2."""

    def __init__(self, build, library, directives):
        super().__init__()
        self.name = {"yamux": "Go yamux", "smux1": "Go xtaci/smux v1", "smux2": "Go xtaci/smux v2"}[library]
        self.library = library
        self.arguments = [a for name, value in directives.items() for a in (f"-{name}", str(value))]
        self.program = build / "mux_go_server"

    def command(self):
        return [str(self.program), "-addr", f"127.0.0.1:{self.port}", "-lib", self.library, *self.arguments]
