#!/usr/bin/env python3
"""The bench's own arithmetic and words: ratios of known figures, what a report says when something failed, pictures that are
pictures, and README's table, which is the one that `run --readme` writes."""
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
README = (HERE.parents[1] / "README.md").read_text()
sys.path.insert(0, str(HERE))

import charts  # noqa: E402: found beside this file
import measure  # noqa: E402
import plan  # noqa: E402
import questions  # noqa: E402
import report  # noqa: E402
from questions import QUESTIONS, Question, at_least, at_most  # noqa: E402

ABOUT = {"date": "2026-01-02", "version": "v9", "machine": "a machine, 2 CPUs", "kernel": "6.1", "peers": "nginx 1, Redis 2"}


def rows_of(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def samples_of_everything():
    """Drover costs 1 where the others cost 2, and carries 3 where they carry 2."""
    samples = {}
    for question in QUESTIONS:
        for names, values in ((question.ours, [1.0, 1.0, 1.5]), (question.beside, [2.0, 2.0, 4.0])):
            for name in names:
                samples.setdefault(question.case, {})[name] = values
    return samples


class Ratios(unittest.TestCase):
    def test_are_those_of_the_medians(self):
        found = questions.answer(Question("?", "c", "us", ("D",), ("P",)), {"c": {"D": [1, 3, 2], "P": [4, 5, 400]}})
        self.assertEqual((found.ours, found.best, found.ratios), ((("D", 2),), ("P", 5), (0.4,)))

    def test_have_the_spread_of_the_rounds(self):
        found = questions.answer(Question("?", "c", "us", ("D",), ("P",)), {"c": {"D": [1, 3, 2], "P": [4, 6, 2]}})
        self.assertEqual(found.spread, (0.25, 1.0))

    def test_are_to_the_best_of_the_others(self):
        samples = {"c": {"D": [2], "E": [3], "P": [4], "Q": [8]}}
        less = questions.answer(Question("?", "c", "us", ("D", "E"), ("P", "Q")), samples)
        more = questions.answer(Question("?", "c", "MB", ("D", "E"), ("P", "Q"), more_is_better=True), samples)
        self.assertEqual((less.best, less.ratios), (("P", 4), (0.5, 0.75)))
        self.assertEqual((more.best, more.ratios), (("Q", 8), (0.25, 0.375)))

    def test_meet_what_is_wanted_only_if_all_do(self):
        samples = {"c": {"D": [2], "E": [3], "P": [4]}}
        for wanted, verdict in ((at_most(0.75), "met"), (at_most(0.74), "missed"), (at_least(0.5), "met"), (at_least(0.51), "missed"),
                                (at_most(3, "value", "us"), "met"), (at_most(2, "value", "us"), "missed")):
            row = report.question_row(Question("?", "c", "us", ("D", "E"), ("P",), wanted), samples)
            self.assertEqual(row[-1], verdict, wanted)

    def test_that_are_missing_are_told(self):
        for samples in ({}, {"c": {"D": [1]}}, {"c": {"P": [1]}}, {"c": {"D": [1], "P": []}}):
            row = report.question_row(Question("?", "c", "us", ("D",), ("P",), at_most(1)), samples)
            self.assertEqual(row, ["?", "not measured", "", "", "at most 1.00", ""])


class Failures(unittest.TestCase):
    def setUp(self):
        self.bench = measure.Bench(pathlib.Path("nowhere"), plan.SMOKE)

    def refuse(self):
        raise RuntimeError("it is not there")

    def test_of_one_server_leave_the_others(self):
        self.bench.run("pair", lambda b: b.interleave("case", [("bad", self.refuse), ("good", lambda: {"case": 1})], rounds=3), 10)
        self.assertEqual(self.bench.failures, [("bad, case", "it is not there")])
        self.assertEqual(self.bench.samples, {"case": {"good": [1, 1, 1]}})

    def test_of_one_section_leave_the_others(self):
        self.bench.run("bad", lambda b: self.refuse(), 10)
        self.bench.run("good", lambda b: b.record("case", "x", 1), 10)
        self.assertEqual(self.bench.failures, [("bad", "it is not there")])
        self.assertEqual(self.bench.samples, {"case": {"x": [1]}})

    def test_to_end_are_broken_off(self):
        self.bench.run("endless", lambda b: b.interleave("case", [("x", lambda: time.sleep(60))]), 0.05)
        self.assertEqual(self.bench.failures, [("endless", "broken off after 0 seconds")])

    def test_after_the_time_for_the_whole_are_told(self):
        self.bench.end = time.monotonic()
        self.bench.run("late", lambda b: b.record("case", "x", 1), 10)
        self.assertEqual(self.bench.failures, [("late", "not measured: the time for the whole is over")])
        self.assertEqual(self.bench.samples, {})

    def test_are_named_in_the_report_and_by_the_exit_status(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([HERE / "run", "--build", folder, "--out", f"{folder}/out", "--only", "mux"], capture_output=True, text=True,
                                 timeout=50)
            text = pathlib.Path(folder, "out/report.md").read_text()
        self.assertEqual(run.returncode, 1, run.stderr)
        for failure in ("- **Drover**: is not installed\n", "- **Go yamux**: is not installed\n"):
            self.assertIn(failure, text)


class Report(unittest.TestCase):
    def write(self, samples, failures=()):
        return report.write({"about": ABOUT, "samples": samples, "failures": failures}, [("Costs", "cpu.svg")])

    def test_says_machine_versions_pictures_and_failures(self):
        text = self.write(samples_of_everything(), [("nginx", "did\nnot start")])
        for line in ("- machine: a machine, 2 CPUs\n", "- peers: nginx 1, Redis 2\n", "![Costs](cpu.svg)\n", "- **nginx**: did not start\n"):
            self.assertIn(line, text)
        self.assertNotIn("not measured", text.partition("## Questions")[2].partition("## What failed")[0])

    def test_tells_median_smallest_and_largest(self):
        text = self.write({"echo/1": {"Drover": [3.0, 1.0, 2.0]}, "echo/16": {"Drover": [0.5]}})
        self.assertIn("| 1 | 2.00 (1.00 to 3.00) |\n| 16 | 0.50 |\n", text)

    def test_has_a_row_for_each_question(self):
        table = report.question_table(samples_of_everything())
        self.assertEqual(len(rows_of(table)), 2 + len(QUESTIONS))
        self.assertIn("| the same, depth 16 | 1.00 us | bare epoll loop 2.00 us | 0.50 (0.38 to 0.50) | at most 1.10 | met |\n", table)


class Pictures(unittest.TestCase):
    def test_are_well_formed_and_show_every_name(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            drawn = charts.draw(samples_of_everything(), folder)
            self.assertEqual([file for _, file in drawn], ["cpu.svg", "kvs.svg", "mux.svg", "bulk.svg"])
            for title, file in drawn:
                root = xml.etree.ElementTree.parse(folder / file).getroot()
                self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
                self.assertIn(title, " ".join(root.itertext()))
            self.assertIn("memcached", (folder / "kvs.svg").read_text())

    def test_do_without_what_was_not_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            samples = {"kvs/get/1": {"Drover": [1.0]}, "kvs/get/16": {"Drover": [1.0], "Redis": [2.0, 3.0]}}
            self.assertEqual([file for _, file in charts.draw(samples, pathlib.Path(folder))], ["cpu.svg", "kvs.svg"])


class Readme(unittest.TestCase):
    """What only a run can say is not looked at."""

    def test_has_the_rows_and_columns_of_the_report(self):
        begin, end = report.README_MARKS
        part = README.partition(begin)[2].partition(end)[0]
        table = rows_of(part[part.index("|"):])
        fixed = lambda row: (row[0], row[4])
        self.assertEqual(table[:2], rows_of(report.table(questions.COLUMNS, [])))
        self.assertEqual([fixed(row) for row in table], [fixed(row) for row in rows_of(report.question_table({}))])

    def test_has_a_verdict_that_its_own_figures_bear(self):
        begin, end = report.README_MARKS
        judged = 0
        for row in rows_of(README.partition(begin)[2].partition(end)[0]):
            wanted = re.fullmatch(r"(at \w+) ([\d.]+)", row[4]) if len(row) == 6 else None  # with a unit it is no ratio
            if wanted and row[5]:
                ratios = [float(each) for each in re.findall(r"[\d.]+", row[3].partition("(")[0])]
                is_met = all(questions.Wanted(wanted[1], float(wanted[2])).is_met(each) for each in ratios)
                self.assertEqual(row[5], "met" if is_met else "missed", row)
                judged += 1
        self.assertGreater(judged, 0)

    def test_gets_the_table_of_a_run_between_its_marks(self):
        run = {"about": ABOUT, "samples": samples_of_everything()}
        readme = report.with_part("before\n<!-- bench: table -->\nold\n<!-- bench: end -->\nafter\n", report.readme_part(run))
        self.assertTrue(readme.startswith("before\n<!-- bench: table -->\nThe run of 2026-01-02 (Drover v9;"))
        self.assertTrue(readme.endswith("| met |\n<!-- bench: end -->\nafter\n"))
        self.assertNotIn("old", readme)
        self.assertEqual(report.with_part(readme, report.readme_part(run)), readme)


if __name__ == "__main__":
    unittest.main(verbosity=2)
