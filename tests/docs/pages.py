"""README.md and the manuals taken at their word, with the binaries of $DROVER_BUILD_DIR.

A block of README is marked by <!-- test: WHAT --> before it, a literal display of a manual by .\\" test: WHAT. "file NAME" is a file,
"run" a script. Those of a page are done in their order, in a folder of their own, with other ports in the place of those the page
names. Behind #=> stands what a command prints, blanks aside, "..." being anything.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DROVER = pathlib.Path(os.environ["DROVER_BUILD_DIR"], "drover").resolve()
DROVER_KV = DROVER.with_name("drover-kv")
KV_PORT = "7010"  # that drover-kv knows
PORTS = ("7007", KV_PORT, "7020")  # what the pages say

# `nc -N HOST PORT` for a machine that has none, or one without -N.
NC = f"""#!{sys.executable}
import socket, sys
with socket.create_connection(sys.argv[-2:], timeout=10) as s:
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    while piece := s.recv(4096):
        sys.stdout.buffer.write(piece)
"""


def readme_blocks(text):
    """(what, argument, text) of each, in their order."""
    return re.findall(r"<!-- test: (\w+) ?(\S*) -->\n```\w+\n(.*?)```\n", text, re.DOTALL)


def manual_blocks(text):
    """The same of a manual, as mandoc would print them."""
    found = re.findall(r'^\.\\" test: (\w+) ?(\S*)\n\.Bd -literal[^\n]*\n(.*?)^\.Ed$', text, re.DOTALL | re.MULTILINE)
    return [(what, argument, display.replace("\\e", "\\").replace("\\&", "")) for what, argument, display in found]


def marks(text):
    """How many blocks there should be: one that is not found is not tried."""
    return len(re.findall(r'^(?:<!--|\.\\") test: ', text, re.MULTILINE))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def squeezed(text):
    return " ".join(text.split())


def is_printed(expected, said):
    parts = [re.escape(part.strip()) for part in squeezed(expected).split("...")]
    return re.fullmatch(".*".join(parts), squeezed(said)) is not None


def with_marks(script):
    """The script with what is expected taken out: what such a command prints comes between two control characters."""
    lines, expected = [], []
    for line in script.splitlines():
        command, mark, words = line.partition("#=>")
        if mark:
            expected.append(words)
            line = f"printf '\\001'; {command}\nprintf '\\002'"
        lines.append(line)
    return "\n".join(lines) + "\n", expected


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drover-docs."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.stop_daemons)
        self.ports = {port: free_port() for port in PORTS}
        (self.folder / "modules").symlink_to(SOURCE / "modules")
        self.program("drover-kv", f'#!/bin/sh\nexec {DROVER_KV} -s 127.0.0.1:{self.ports[KV_PORT]} "$@"\n')
        self.program("nc", NC)
        (self.folder / "bin/drover").symlink_to(DROVER)
        self.environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "TMPDIR": str(self.folder)}

    def program(self, name, text):
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def stop_daemons(self):
        """Of a script that failed half way."""
        for config in self.folder.glob("**/*.conf"):
            subprocess.run([DROVER, "-s", "stop", "-c", config.name], cwd=config.parent, capture_output=True)

    def with_ports(self, text):
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(free), text)
        return text

    def write_file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.with_ports(text))

    def run_script(self, text):
        """Each command must succeed and print what is said. What was printed."""
        script, expected = with_marks(self.with_ports(text))
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self.environment,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50)
        self.assertEqual(run.returncode, 0, f"\n{text}\nsaid:\n{run.stdout}")
        answers = re.findall("\x01(.*?)\x02", run.stdout, re.DOTALL)
        self.assertEqual(len(answers), len(expected), run.stdout)
        for said, words in zip(answers, expected):
            self.assertTrue(is_printed(words, said), f"expected: {words}\nprinted: {said}")
        return run.stdout

    def try_blocks(self, blocks):
        """Files and scripts in their order; what the scripts printed."""
        said = ""
        for what, argument, text in blocks:
            self.assertIn(what, ("file", "run"))
            if what == "file":
                self.write_file(argument, text)
            else:
                said += self.run_script(text)
        return said
