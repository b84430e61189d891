#!/usr/bin/env python3
"""readme_test.py [Readme|Manual|KvManual]: README.md, drover(8) and drover-kv(1), taken at their word, with the binaries
of $DROVER_BUILD_DIR.

In README a block after <!-- test: file NAME --> is a file and one after <!-- test: run --> a script; in the manuals a
literal display after .\\" test: run is a script. Files and scripts of a page run in a folder of its own, in their order,
with other ports in the place of those the page names.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DROVER = pathlib.Path(os.environ["DROVER_BUILD_DIR"], "drover").resolve()
DROVER_KV = DROVER.with_name("drover-kv")
README = (SOURCE / "README.md").read_text()
MANUAL = (SOURCE / "man/drover.8").read_text()
KV_MANUAL = (SOURCE / "man/drover-kv.1").read_text()
PORT = "7007"  # what the pages say
KV_PORT = "7010"  # the same of the key-value server, and what drover-kv knows

# `nc -N HOST PORT` for a machine that has none, or one without -N.
NC = f"""#!{sys.executable}
import socket, sys
with socket.create_connection(sys.argv[-2:], timeout=10) as s:
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    while piece := s.recv(4096):
        sys.stdout.buffer.write(piece)
"""


def readme_blocks(what):
    """(argument, text) of each marked block, in their order."""
    return re.findall(rf"<!-- test: {what} ?(\S*) -->\n```\w+\n(.*?)```\n", README, re.DOTALL)


def manual_scripts(page):
    return re.findall(r'^\.\\" test: run\n\.Bd [^\n]*\n(.*?)^\.Ed$', page, re.DOTALL | re.MULTILINE)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drover-docs."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.stop_daemon)
        self.port, self.kv_port = free_port(), free_port()
        (self.folder / "modules").symlink_to(SOURCE / "modules")
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "drover").symlink_to(DROVER)
        (programs / "drover-kv").write_text(f'#!/bin/sh\nexec {DROVER_KV} -s 127.0.0.1:{self.kv_port} "$@"\n')
        (programs / "drover-kv").chmod(0o755)
        (programs / "nc").write_text(NC)
        (programs / "nc").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        for name, text in readme_blocks("file"):
            (self.folder / name).write_text(self.with_port(text))

    def stop_daemon(self):
        """Of a script that failed half way."""
        for config in ("drover.conf", "kvs.conf"):
            subprocess.run([DROVER, "-s", "stop", "-c", config], cwd=self.folder, capture_output=True)

    def with_port(self, text):
        return text.replace(PORT, str(self.port)).replace(KV_PORT, str(self.kv_port))

    def run_script(self, text):
        """Each command must succeed. What was printed."""
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", self.with_port(text)], cwd=self.folder,
                             env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50)
        self.assertEqual(run.returncode, 0, f"\n{text}\nsaid:\n{run.stdout}")
        return run.stdout

    def echo(self, message):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(message)
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(4096), b""))


class Readme(Page):
    def wait_for(self, daemon, log, words):
        deadline = time.monotonic() + 20
        while words not in log.read_text():
            is_over = daemon.poll() is not None or time.monotonic() > deadline
            self.assertFalse(is_over, f"no {words!r} in the log:\n{log.read_text()}")
            time.sleep(0.01)

    def test_the_five_lines_serve_reload_and_stop(self):
        self.assertEqual(len((self.folder / "five.conf").read_text().splitlines()), 5)
        log = self.folder / "log"
        with open(log, "wb") as out:
            daemon = subprocess.Popen([DROVER, "-F", "-c", "five.conf"], cwd=self.folder, stderr=out)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        self.wait_for(daemon, log, "serving: generation=1")
        self.assertEqual(self.echo(b"one\n"), b"one\n")
        daemon.send_signal(signal.SIGHUP)
        self.wait_for(daemon, log, "serving: generation=2")
        self.assertEqual(self.echo(b"two\n"), b"two\n")
        daemon.send_signal(signal.SIGINT)
        self.assertEqual(daemon.wait(20), 0)

    def test_the_scripts_run(self):
        scripts = [text for _, text in readme_blocks("run")]
        self.assertGreaterEqual(len(scripts), 2)

        said = "".join(self.run_script(text) for text in scripts)

        for answer in ("\nhello\n", "reloaded: generation 2", "generation 2 serving", "logs reopened", "stopped",
                       "\n/api\tbackend-1\n", "\nlines 2, stored 2, failed 0\n/img/thumbs\tbackend-3\n"):
            self.assertIn(answer, said)
        self.assertFalse((self.folder / "drover.pid").exists())

    def test_echo_is_shown_as_it_is(self):
        self.assertIn(f"```cpp\n{(SOURCE / 'modules/echo/echo.cpp').read_text()}```\n", README)

    def test_what_it_links_to_is_there(self):
        links = re.findall(r"\]\(([^)#:]+)\)", README)
        self.assertTrue(links)
        for link in links:
            self.assertTrue((SOURCE / link).exists(), link)


class Manual(Page):
    def test_its_flags_are_those_of_the_binary(self):
        usage = subprocess.run([DROVER, "-h"], capture_output=True, text=True, check=True).stdout
        options = usage.partition("\n")[2]
        told = set(re.findall(r"(?<![\w-])(--?[A-Za-z]+)\b", options))
        described = {"-" + flag for flag in re.findall(r"^\.It Fl (\S+)", MANUAL, re.MULTILINE)}
        self.assertEqual(described, told)
        self.assertLessEqual(set(re.findall(r"-[A-Za-z]\b", usage.partition("\n")[0])), told)

    def test_its_commands_are_those_of_the_binary(self):
        refusal = subprocess.run([DROVER, "-s", "nonsense"], capture_output=True, text=True)
        self.assertEqual(refusal.returncode, 2)
        known = set(refusal.stderr.partition("one of ")[2].strip().split(", "))
        commands = MANUAL.partition(".Sh COMMANDS")[2].partition(".Sh ")[0]
        self.assertEqual(set(re.findall(r"^\.It Cm (\w+)", commands, re.MULTILINE)), known)

    def test_its_scripts_run(self):
        scripts = manual_scripts(MANUAL)
        self.assertEqual(len(scripts), MANUAL.count("\n.\\\" test: run\n"))
        self.assertTrue(scripts)
        for text in scripts:
            self.run_script(text)


class KvManual(Page):
    def test_its_commands_and_flags_are_those_of_the_tool(self):
        usage = subprocess.run([DROVER_KV, "-h"], capture_output=True, text=True, check=True).stdout
        options, _, rest = usage.partition("\ncommands:\n")
        commands, _, bench = rest.partition("\nbench:\n")
        described = KV_MANUAL.partition(".Sh COMMANDS")[2].partition(".Sh LINES")[0]
        self.assertEqual(re.findall(r"^  (\w+)", commands, re.MULTILINE), re.findall(r"^\.It Cm (\w+)", described, re.MULTILINE))
        told = set(re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", options.partition("\n")[2] + commands + bench))
        named = {"-" + flag for line in re.findall(r"^\.(?:It|Cm|.*Fl) ?.*", KV_MANUAL, re.MULTILINE)
                 for flag in re.findall(r"\bFl (-?[\w-]+)", line)}
        self.assertEqual(named - {"--"}, told | {"--quiet"})

    def test_its_scripts_run(self):
        (self.folder / "drover.conf").write_text(self.with_port(
            "[drover]\nload = kvs\ncontrol = drover.sock\nerror_log = error.log\n[zone urls]\nsize = 16m\n"
            f"[server cache]\nlisten = 127.0.0.1:{KV_PORT}\nprotocol = kvs\nkvs.zone = urls\n"))
        self.run_script("drover -c drover.conf")
        scripts = manual_scripts(KV_MANUAL)
        self.assertEqual(len(scripts), KV_MANUAL.count("\n.\\\" test: run\n"))

        said = "".join(self.run_script(text) for text in scripts)

        self.assertIn("hello100\n/api\tbackend-1\n", said)
        self.assertIn("lines 1, stored 1, failed 0\n", said)
        self.assertIn("latency_us_p99 ", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
