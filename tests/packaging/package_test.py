#!/usr/bin/env python3
"""package_test.py BUILD_DIR CASE: the packages in a clean Debian with systemd: installed, used, upgraded, removed. BUILD_DIR has
the packages (deb), the same with the ABI of modules raised by one (deb-next) and the root (package-root).
"""
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import machine

BUILD = pathlib.Path(sys.argv[1])
ECHO, KVS = 7007, 7010
LOG = "/var/log/drover/error.log"
ENABLED = "/var/lib/systemd/deb-systemd-helper-enabled"  # that a unit was, for the next installation

# What apt and dpkg keep of each run; /run, a file system of its own, is looked at apart.
OF_THE_SYSTEM = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/apt/", "/var/log/apt/", "/var/log/dpkg.log")


class Clients:
    """Checked load on the machine's echo server while the block runs; no client may fail."""

    def __init__(self, test: "PackageTest"):
        self.test = test

    def __enter__(self) -> "Clients":
        argv = ["python3", str(pathlib.Path(__file__).with_name("load.py")), str(ECHO)]
        self.process = subprocess.Popen(self.test.machine.in_its_network(argv), stdout=subprocess.PIPE, text=True)
        self.test.assertEqual(self.process.stdout.readline(), "going\n")
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGTERM)
        said = json.loads(self.process.communicate(timeout=machine.DEADLINE_S)[0])
        print("load:", said)
        self.test.assertEqual(said["failures"], [])
        self.test.assertGreater(said["connections"], 50)
        self.test.assertGreater(said["messages"], 500)


class PackageTest(unittest.TestCase):
    def setUp(self):
        self.machine = machine.Machine(BUILD / "package-root")
        self.addCleanup(self.tell_and_close)
        self.machine.offer(BUILD / "deb")

    def tell_and_close(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            print(self.machine.sh(f"systemctl --no-pager status drover.service; journalctl --no-pager -n 40; tail -n 40 {LOG}",
                                  check=False))
        self.machine.close()

    def enable(self, module: str, name: str = ""):
        self.machine.sh(f"ln -s ../conf-available/{module}.conf /etc/drover/conf-enabled/{name}; systemctl reload drover")

    def echo(self, text: str = "hello") -> str:
        script = ("import socket, sys; s = socket.create_connection(('127.0.0.1', 7007), 10); s.sendall(sys.argv[1].encode());"
                  "s.shutdown(socket.SHUT_WR); print(s.makefile().read())")
        return machine.run(self.machine.in_its_network(["python3", "-c", script, text])).stdout.strip()

    def upgrades_begun(self) -> int:
        return int(self.machine.sh(f"grep -c 'upgrading: binary=' {LOG} || true"))

    def installed(self, package: str) -> str:
        return self.machine.sh(f"dpkg-query -W -f '${{Status}} ${{Version}}' {package}", check=False)

    def all_files(self) -> set:
        paths = self.machine.sh("find /etc /opt /srv /usr /var -xdev").splitlines()
        return {path for path in paths if not path.startswith(OF_THE_SYSTEM)}

    # --- the life of a package ---

    def test_an_installed_package_serves_as_a_user_of_its_own(self):
        self.machine.apt("install", "drover")

        self.assertEqual(self.echo(), "hello")
        self.assertEqual(self.machine.property("ActiveState"), "active")
        self.assertEqual(self.machine.sh("systemctl is-enabled drover.service"), "enabled\n")
        self.assertEqual(self.machine.sh("systemctl is-enabled drover.socket", check=False), "disabled\n")
        self.assertIn("generation 1: ", self.machine.sh("systemctl --no-pager status drover"))
        self.assertEqual(self.machine.sh("for pid in $(cat /sys/fs/cgroup/system.slice/drover.service/cgroup.procs);"
                                         "do stat -c %U /proc/$pid; done | sort -u"), "drover\n")
        self.assertEqual(self.machine.sh(f"stat -c '%U %G %a' {LOG}"), "drover adm 640\n")
        self.assertIn("/usr/sbin/nologin", self.machine.sh("getent passwd drover"))
        self.assertTrue(self.machine.sh("getent shadow drover").startswith("drover:!"))
        self.assertEqual(self.machine.sh("drover -t -q"), "")
        self.assertEqual([self.machine.property(name) for name in ("WatchdogUSec", "LimitNOFILE", "FileDescriptorStoreMax")],
                         ["10s", "1048576", "2048"])
        self.machine.sh("systemctl stop drover; rm -r /run/drover; systemd-tmpfiles --create")
        self.assertEqual(self.machine.sh("stat -c '%U %G' /run/drover"), "drover drover\n")

    def test_a_module_is_enabled_by_a_link_and_a_reload(self):
        self.machine.apt("install", "drover", "drover-module-kvs", "drover-module-mux", "drover-tools")
        self.assertEqual(len(self.machine.status()["servers"]), 1, "installed is not enabled")

        self.enable("kvs")
        self.enable("mux")

        self.machine.sh("drover-kv set /api backend")
        self.assertEqual(self.machine.sh("drover-kv lpm /api/v1"), self.machine.sh("drover-kv lpm /api/v2"))
        self.assertEqual({server["protocol"] for server in self.machine.status()["servers"]}, {"echo", "kvs", "mux"})

    def test_logrotate_returns_when_no_process_writes_to_the_old_log(self):
        self.machine.apt("install", "drover")

        self.machine.sh("logrotate --force /etc/logrotate.d/drover")

        self.assertIn("serving", self.machine.sh(f"cat {LOG}.1"))
        self.assertEqual(self.machine.sh(f"readlink /proc/[0-9]*/fd/* | grep -c '{LOG}.1' || true", check=False), "0\n")
        self.assertIn(LOG + "\n", self.machine.sh(f"readlink /proc/[0-9]*/fd/* | grep '{LOG}'"))
        self.assertEqual(self.machine.sh(f"stat -c '%U %G %a' {LOG}"), "drover adm 640\n")
        self.machine.sh("systemctl stop drover; logrotate --force /etc/logrotate.d/drover")

    def test_removal_keeps_what_the_administrator_wrote_and_a_purge_leaves_only_the_user(self):
        before = self.all_files()
        self.machine.apt("install", "drover", "drover-module-kvs", "drover-module-mux", "drover-tools", "drover-dev")
        self.enable("kvs")
        self.enable("mux", "50-streams.conf")
        self.machine.sh("echo '; mine' >>/etc/drover/drover.conf")

        self.machine.apt("remove", "drover", "drover-module-kvs", "drover-module-mux", "drover-tools", "drover-dev")

        self.assertNotEqual(self.machine.run("systemctl", "is-active", "drover", check=False).returncode, 0)
        self.assertEqual(self.machine.sh("tail -n 1 /etc/drover/drover.conf"), "; mine\n")
        self.assertEqual(self.machine.sh("ls /etc/drover/conf-available"), "kvs.conf\nmux.conf\n")
        self.assertEqual(self.machine.sh("ls /etc/drover/conf-enabled 2>/dev/null || true"), "")
        self.assertFalse([path for path in self.all_files() - before
                          if not path.startswith(("/etc", "/var/log/drover", "/var/lib/drover", ENABLED))])

        self.machine.apt("purge", "drover", "drover-module-kvs", "drover-module-mux", "drover-tools", "drover-dev")

        self.assertEqual(self.all_files() - before, set())
        self.assertEqual(self.machine.sh("ls -d /run/drover /run/systemd/system/drover* 2>/dev/null || true"), "")
        self.assertIn("drover", self.machine.sh("getent passwd drover"))

    def test_removal_stops_a_daemon_that_systemd_has_not_started(self):
        self.machine.apt("install", "drover")
        self.machine.sh("systemctl disable --now drover; runuser -u drover -- drover -c /etc/drover/drover.conf")
        self.assertEqual(self.echo(), "hello")

        self.machine.apt("remove", "drover")

        self.assertEqual(self.machine.sh("readlink /proc/[0-9]*/exe | grep -c drover || true", check=False), "0\n")

    def test_a_module_for_another_abi_is_not_configured_alone(self):
        self.machine.apt("install", "drover", "drover-module-kvs")
        self.machine.offer(BUILD / "deb-next")

        alone = self.machine.run("sh", "-c", "dpkg --install /run/repo/drover-module-kvs_*.deb", check=False)

        self.assertNotEqual(alone.returncode, 0)
        self.assertIn("drover-module-kvs depends on drover-abi-2", alone.stdout)
        self.assertEqual(self.echo(), "hello")

    # --- upgrades ---

    def test_an_upgrade_over_an_abi_of_modules_is_one_upgrade_and_loses_nothing(self):
        self.machine.apt("install", "drover", "drover-module-kvs", "drover-tools")
        self.enable("kvs")
        self.machine.sh("drover-kv set /kept through")
        before = self.machine.status()
        stored = self.machine.sh("drover-kv get /kept")
        modules = self.machine.sh("drover -m")

        with Clients(self):
            self.machine.offer(BUILD / "deb-next")
            said = self.machine.apt("dist-upgrade").stdout
            after = self.machine.status()

        self.assertIn("drover: upgraded: pid ", said)
        self.assertNotEqual(self.machine.sh("drover -m"), modules, "another ABI")
        self.assertEqual(self.upgrades_begun(), 1)
        self.assertNotEqual(after["pid"], before["pid"])
        self.assertEqual(int(self.machine.property("MainPID")), after["pid"])
        self.assertEqual(self.machine.property("NRestarts"), "0")
        self.assertEqual(max(g["number"] for g in after["generations"]), max(g["number"] for g in before["generations"]) + 1)
        self.assertEqual(self.machine.sh("drover-kv get /kept"), stored)
        self.assertEqual(self.machine.sh("readlink /proc/%d/exe" % after["pid"]), "/usr/sbin/drover\n")
        self.assertIn("another version", self.machine.property("Description"), "systemd has read the new unit")

    def test_a_module_that_is_upgraded_alone_upgrades_the_daemon_once(self):
        self.machine.apt("install", "drover", "drover-module-kvs", "drover-tools")
        self.enable("kvs")
        self.machine.sh("drover-kv set /kept through")

        with Clients(self):
            self.machine.apt("install", "--reinstall", "drover-module-kvs")

        self.assertEqual(self.upgrades_begun(), 1)
        self.assertIn("through", self.machine.sh("drover-kv get /kept"))

        self.machine.apt("remove", "drover-module-kvs")

        self.assertEqual(self.upgrades_begun(), 2)
        self.assertEqual([server["protocol"] for server in self.machine.status()["servers"]], ["echo"])
        self.assertEqual(self.echo(), "hello")

    def test_a_refused_upgrade_is_said_and_leaves_the_former_daemon_and_a_finished_dpkg(self):
        self.machine.apt("install", "drover")
        before = self.machine.status()
        self.machine.sh("printf '[drover]\\nnonsense = 1\\n' >/etc/drover/conf-enabled/mine.conf")

        with Clients(self):
            self.machine.offer(BUILD / "deb-next")
            said = self.machine.apt("dist-upgrade").stdout

        self.assertIn("drover: WARNING: the running daemon was not upgraded", said)
        self.assertIn("drover:     /etc/drover/conf-enabled/mine.conf:2: [drover] nonsense: unknown directive", said)
        self.assertEqual(self.machine.status()["pid"], before["pid"])
        self.assertTrue(self.installed("drover").startswith("install ok installed "))
        self.assertEqual(self.echo(), "hello")

    def test_a_stopped_daemon_is_not_upgraded_and_a_disabled_one_not_started(self):
        self.machine.apt("install", "drover")
        self.machine.sh("systemctl disable --now drover")

        self.machine.offer(BUILD / "deb-next")
        said = self.machine.apt("dist-upgrade").stdout

        self.assertNotIn("upgraded: pid", said)
        self.assertNotIn("WARNING", said)
        self.assertNotEqual(self.machine.run("systemctl", "is-active", "drover", check=False).returncode, 0)
        self.assertTrue(self.installed("drover").startswith("install ok installed "))


if __name__ == "__main__":
    started = time.monotonic()
    suite = unittest.defaultTestLoader.loadTestsFromName(f"PackageTest.test_{sys.argv[2]}", sys.modules[__name__])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    root = "this machine's own files" if (BUILD / "package-root").is_symlink() else "a clean Debian"
    print(f"took {time.monotonic() - started:.0f} s on {root}")
    sys.exit(0 if result.wasSuccessful() and result.testsRun == 1 else 1)
