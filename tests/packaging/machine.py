"""A machine to install packages on: a clean Debian root with systemd as process 1 of namespaces of its own (pid, mount, network,
cgroup, hostname, IPC). What happens in it is written to an overlay and goes with it. Needs root.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# The cgroup is a fresh one below the test's own.
OUTER = r"""
set -e
top=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
own=$top$(sed -n 's/^0:://p' /proc/self/cgroup)/drover-machine-$$
mkdir "$own"
echo $$ > "$own/cgroup.procs"
unshare --fork --pid --mount --net --cgroup --uts --ipc --kill-child=KILL sh {dir}/inner || true
echo $$ > "$own/../cgroup.procs"
find "$own" -depth -type d -exec rmdir {} +
"""

# pivot_root, not chroot: systemd's sandbox needs a root that is a mount point.
INNER = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {dir}/over
mkdir {dir}/over/upper {dir}/over/work
mount -t overlay overlay -o lowerdir={lower},upperdir={dir}/over/upper,workdir={dir}/over/work {dir}/root
cd {dir}/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm run/repo
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for node in null zero full random urandom tty; do : >dev/$node; mount --bind /dev/$node dev/$node; done
ln -s /proc/self/fd dev/fd
mount --bind {dir}/repo run/repo
rm -f usr/sbin/policy-rc.d  # of a builder, where packages must not start anything
hostname machine
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lxc /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=console </dev/null
"""

DEADLINE_S = 60


def wait_until(condition, deadline_s: float = DEADLINE_S):
    """The first true value of the condition, or its last one."""
    end = time.monotonic() + deadline_s
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def run(argv: list, check: bool = True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: {done.returncode}\n{done.stdout}")
    return done


class Machine:
    """`lower` is the root of a Debian; it is not written to."""

    def __init__(self, lower: pathlib.Path):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="drover-machine."))
        for folder in ("over", "root", "repo"):
            (self.dir / folder).mkdir()
        for name, text in (("outer", OUTER), ("inner", INNER)):
            (self.dir / name).write_text(text.replace("{dir}", str(self.dir)).replace("{lower}", str(lower)))
        self.console = open(self.dir / "console", "w+")
        self.outer = subprocess.Popen(["sh", self.dir / "outer"], stdin=subprocess.DEVNULL, stdout=self.console,
                                      stderr=subprocess.STDOUT, start_new_session=True)
        self.init = wait_until(self._find_init)
        if not self.init or not wait_until(self._is_up):
            raise AssertionError("the machine did not boot:\n" + (self.dir / "console").read_text())
        self.sh("printf 'deb [trusted=yes] file:/run/repo ./\\n' >/etc/apt/sources.list; rm -rf /etc/apt/sources.list.d/*")

    def _find_init(self) -> int:
        """unshare's child, once it is systemd."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path("/proc", pid, "cmdline").read_text().split("\0")
                inner = pathlib.Path("/proc", pid, "root/run/repo").exists() and words[0] == "/lib/systemd/systemd"
                if inner and f"{self.dir.name}/" in pathlib.Path("/proc", pid, "mountinfo").read_text():
                    return int(pid)
            except OSError:
                pass
        return 0

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(self, *argv: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """A program inside: status and all that it said."""
        enter = ["nsenter", f"--target={self.init}", "--mount", "--pid", "--net", "--cgroup", "--uts", "--ipc", "--wdns=/"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return run(enter + list(argv), check, env=environment, **options)

    def sh(self, script: str, check: bool = True) -> str:
        return self.run("sh", "-ec", script, check=check).stdout

    def apt(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.run("apt-get", "-qq", "-y", "--no-install-recommends", *argv, check=check)

    def offer(self, folder: pathlib.Path) -> None:
        """What apt finds from now on: the packages of that folder."""
        for package in (self.dir / "repo").iterdir():
            package.unlink()
        for package in folder.glob("*.deb"):
            if "-dbgsym_" not in package.name:
                shutil.copy(package, self.dir / "repo")
        index = run(["apt-ftparchive", "packages", "."], cwd=self.dir / "repo").stdout
        (self.dir / "repo/Packages").write_text(index)
        self.apt("update")

    def status(self) -> dict:
        return json.loads(self.sh("drover -s status --json"))

    def property(self, name: str) -> str:
        return self.sh(f"systemctl show drover.service --value --property={name}").strip()

    def in_its_network(self, argv: list) -> list:
        return ["nsenter", f"--target={self.init}", "--net", *argv]

    def close(self) -> None:
        if self.init:
            os.kill(self.init, signal.SIGKILL)
        self.outer.wait(timeout=DEADLINE_S)
        self.console.close()
        shutil.rmtree(self.dir)
