"""What has to be known of a run to read its figures: machine, kernel, versions, date, command."""
import datetime
import os
import pathlib
import platform
import shutil
import subprocess

import servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ("golang-github-hashicorp-yamux-dev", "golang-github-xtaci-smux-dev")


def first_line(*command):
    if shutil.which(command[0]) is None:
        return ""
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return ""
    return run.stdout.splitlines()[0].strip() if run.stdout else ""


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def git_version():
    run = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--tags", "--dirty"], capture_output=True, text=True) \
        if shutil.which("git") else None
    return run.stdout.strip() if run and run.returncode == 0 else "of no git checkout"


def version_of(program, *command):
    """ "nginx 1.22.1": the first word of the answer that looks like a version."""
    for word in first_line(*command).replace("=", " ").replace("/", " ").split():
        word = word.removeprefix("go").removeprefix("v")
        if word[:1].isdigit():
            return f"{program} {word}"
    return f"no {program}"


def library_version(package):
    return f"{package} {first_line('dpkg-query', '-W', '-f', '${Version}', package) or 'of unknown version'}"


def about(build, plan, command):
    peers = [version_of("nginx", "nginx", "-v"), version_of("HAProxy", "haproxy", "-v"), version_of("Redis", "redis-server", "-v"),
             version_of("memcached", "memcached", "-V"), version_of("Go", "go", "version")]
    return {"date": datetime.date.today().isoformat(), "command": f"`{command}`, plan {plan.name}: {plan.rounds} rounds",
            "version": f"{git_version()}, preset {build.name}",
            "machine": f"{cpu_model()}, {len(servers.CPUS)} CPUs", "kernel": platform.release(),
            "load average before the run": f"{os.getloadavg()[0]:.1f}",
            "placing": f"servers on CPU {servers.SERVER_CPU}, clients on CPU {servers.CLIENT_CPU}, one worker each",
            "peers": ", ".join(peers), "libraries": ", ".join(map(library_version, LIBRARIES))}
