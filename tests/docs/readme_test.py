#!/usr/bin/env python3
"""README.md: its tour, its scripts and its files (pages.py says how they are marked), and what it shows of the code."""
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True

from pages import DROVER, SOURCE, Page, is_printed, marks, readme_blocks  # noqa: E402: found beside this file

README = (SOURCE / "README.md").read_text()
BLOCKS = readme_blocks(README)


def texts(what):
    return [text for kind, _, text in BLOCKS if kind == what]


class Readme(Page):
    def echo(self, message):
        with socket.create_connection(("127.0.0.1", self.ports["7007"]), timeout=10) as s:
            s.sendall(message)
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(4096), b""))

    def wait_for(self, daemon, log, words):
        deadline = time.monotonic() + 20
        while words not in log.read_text():
            is_over = daemon.poll() is not None or time.monotonic() > deadline
            self.assertFalse(is_over, f"no {words!r} in the log:\n{log.read_text()}")
            time.sleep(0.01)

    def test_every_marked_block_is_tried(self):
        self.assertEqual(len(BLOCKS), marks(README))
        self.assertLessEqual({what for what, _, _ in BLOCKS}, {"build", "tour", "file", "run"})

    def test_the_tour_begins_with_a_build(self):
        """With the preset of these binaries, so that nothing is left to be built; nothing is installed by a test."""
        self.assertEqual(DROVER.parent.parent, SOURCE / "build", "the build is not where packaging/dev has it")
        (build,) = texts("build")
        self.program("apt-get", "#!/bin/sh\necho 'a package of packaging/dev is missing' >&2\nexit 1\n")
        preset = DROVER.parent.name
        script = build.replace("/build/release", f"/build/{preset}") + "command -v drover\n"

        run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=SOURCE, env={**self.environment, "PRESET": preset},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)

        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertEqual(run.stdout.splitlines()[-1], str(DROVER))

    def test_the_tour_runs_and_prints_what_is_shown(self):
        tour = "".join(texts("tour"))
        self.assertGreaterEqual(tour.count("#=>"), 6)
        self.run_script(tour)
        self.assertEqual(list(self.folder.glob("*/drover.pid")), [])

    def test_the_five_lines_serve_reload_and_stop(self):
        self.write_file("five.conf", dict((name, text) for what, name, text in BLOCKS if what == "file")["five.conf"])
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
        blocks = [block for block in BLOCKS if block[0] in ("file", "run")]
        said = self.try_blocks(blocks)
        self.assertIn("\nlines 2, stored 2, failed 0\n/img/thumbs\tbackend-3\n", "\n" + said.replace("\x01", "").replace("\x02", ""))

    def test_echo_is_shown_as_it_is(self):
        self.assertIn(f"```cpp\n{(SOURCE / 'modules/echo/echo.cpp').read_text()}```\n", README)

    def test_what_it_links_to_is_there(self):
        links = re.findall(r"\]\(([^)#:]+)\)", README)
        self.assertTrue(links)
        for link in links:
            self.assertTrue((SOURCE / link).exists(), link)


class Pages(Page):
    """A page that lies is found out."""

    def test_what_is_not_printed_fails(self):
        self.run_script("echo a   b #=> a b\n")
        for lie in ("echo a #=> b\n", "echo a b #=> a\n", "echo a #=>\n", "false\n"):
            with self.assertRaises(AssertionError, msg=lie):
                self.run_script(lie)

    def test_dots_are_anything(self):
        self.assertTrue(is_printed("a ... c ...", "a\n b\n c d\n"))
        self.assertFalse(is_printed("a ... c", "a\n b\n c d\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
