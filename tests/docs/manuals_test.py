#!/usr/bin/env python3
"""manuals_test.py: each manual has examples, which are tried as they stand there (pages.py says how they are marked), and the
options, commands and signals in drover(8) and drover-kv(1) are those of the programs. Directives are checked by tests/lint."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True

from pages import DROVER, DROVER_KV, SOURCE, Page, manual_blocks, marks  # noqa: E402: found beside this file

MANUALS = {path.name: path.read_text() for path in sorted((SOURCE / "man").glob("*.[1-9]"))}
MANUAL, KV_MANUAL = MANUALS["drover.8"], MANUALS["drover-kv.1"]
COMPILED = "drover-module.3"  # its examples are sources: module_page_test.py


def section(text, name):
    return text.partition(f"\n.Sh {name}\n")[2].partition("\n.Sh ")[0]


class Examples(Page):
    def try_page(self, name):
        blocks = manual_blocks(MANUALS[name])
        self.assertEqual(len(blocks), marks(MANUALS[name]))
        self.assertIn("run", {what for what, _, _ in manual_blocks("\n" + section(MANUALS[name], "EXAMPLES"))})
        self.try_blocks(blocks)

    def test_every_page_has_some(self):
        """And each has its test here, which does what the page says."""
        tried = {f"drover{name}" for name in (".8", ".conf.5", "-kv.1", "-kvs.7", "-mux.7")}
        self.assertEqual(set(MANUALS), tried | {COMPILED})
        self.assertIn('\n.\\" test: compile\n', MANUALS[COMPILED])

    def test_of_drover_8(self):
        self.try_page("drover.8")

    def test_of_drover_conf_5(self):
        self.try_page("drover.conf.5")

    def test_of_drover_kv_1(self):
        self.try_page("drover-kv.1")

    def test_of_drover_kvs_7(self):
        self.try_page("drover-kvs.7")

    def test_of_drover_mux_7(self):
        self.try_page("drover-mux.7")


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
        self.assertEqual(set(re.findall(r"^\.It Cm (\w+)", section(MANUAL, "COMMANDS"), re.MULTILINE)), known)

    def test_its_signals_are_those_that_the_master_catches(self):
        self.write_file("drover.conf", "[drover]\nload = echo\ncontrol = drover.sock\npid = drover.pid\nerror_log = error.log\n"
                                       "[server echo]\nlisten = 127.0.0.1:7007\nprotocol = echo\n")
        self.run_script("drover -c drover.conf")
        pid = (self.folder / "drover.pid").read_text().strip()
        caught = int(re.search(r"^SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1), 16)
        names = {signal.Signals(n).name.removeprefix("SIG") for n in range(1, 32) if caught >> (n - 1) & 1}
        described = section(MANUAL, "SIGNALS").partition("\n.El\n")[0]
        told = {name for line in re.findall(r"^\.It Dv (.*)$", described, re.MULTILINE) for name in line.replace(" ", "").split(",")}
        self.assertEqual(told, names - {"CHLD"})


class KvManual(Page):
    def test_its_commands_and_flags_are_those_of_the_tool(self):
        usage = subprocess.run([DROVER_KV, "-h"], capture_output=True, text=True, check=True).stdout
        options, _, rest = usage.partition("\ncommands:\n")
        commands, _, bench = rest.partition("\nbench:\n")
        described = KV_MANUAL.partition(".Sh COMMANDS")[2].partition(".Sh LINE FORMAT")[0]
        self.assertEqual(re.findall(r"^  (\w+)", commands, re.MULTILINE), re.findall(r"^\.It Cm (\w+)", described, re.MULTILINE))
        told = set(re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", options.partition("\n")[2] + commands + bench))
        named = {"-" + flag for line in re.findall(r"^\.(?:It|Cm|.*Fl) ?.*", KV_MANUAL, re.MULTILINE)
                 for flag in re.findall(r"\bFl (-?[\w-]+)", line)}
        self.assertEqual(named - {"--"}, told | {"--quiet"})

    def test_what_bench_prints_is_described_in_its_order(self):
        files = {name: text for what, name, text in manual_blocks(KV_MANUAL) if what == "file"}
        self.write_file("drover.conf", files["drover.conf"])
        self.run_script("drover -c drover.conf")
        printed = self.run_script("drover-kv bench -n 100 --keys 10")
        told = [name for line in re.findall(r"^\.It Va (.*)$", section(KV_MANUAL, "BENCH"), re.MULTILINE) for name in line.split(" , ")]
        self.assertEqual([line.split()[0] for line in printed.splitlines()], told)


class ModuleManuals(Page):
    """What tests/lint does not know: the ranges, and that no number is described that does not exist."""

    def test_they_tell_every_range_and_every_choice(self):
        table = subprocess.run([DROVER, "--directives"], capture_output=True, text=True, check=True).stdout
        rows = [row.split("\t") for row in table.splitlines() if re.match(r"server\t(kvs|mux)\.", row)]
        self.assertEqual({row[1].partition(".")[0] for row in rows}, {"kvs", "mux"})
        for _, name, kind, allowed, *_ in rows:
            page = MANUALS[f"drover-{name.partition('.')[0]}.7"]
            item = page.partition(f"\n.It Ic {name} ")[2].partition("\n.It ")[0]
            self.assertTrue(item, name)
            told = re.split(r", | or ", allowed) if kind == "choice" else [allowed] if kind in ("number", "size", "duration") else []
            for words in told:
                self.assertRegex(item, rf"(?<![\w-]){re.escape(words)}(?![\w-])", name)

    def test_they_name_the_numbers_of_the_status_and_no_others(self):
        for module in ("kvs", "mux"):
            page = MANUALS[f"drover-{module}.7"]
            (config,) = [text for what, _, text in manual_blocks(page) if what == "file"]
            self.write_file("drover.conf", config)
            self.run_script("drover -c drover.conf")
            status = json.loads(self.run_script("drover -s status --json -c drover.conf"))
            self.run_script("drover -s stop -c drover.conf")
            counted = {metric["name"] for server in status["servers"] if server["protocol"] == module for metric in server["metrics"]}
            told = set(re.findall(r"\bCm (\w+)", section(page, "STATUS"))) - {"status"}
            self.assertEqual(told, counted, module)


if __name__ == "__main__":
    unittest.main(verbosity=2)
