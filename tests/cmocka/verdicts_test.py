#!/usr/bin/env python3
"""verdicts_test.py SOURCE WITH_LIBCMOCKA WITH_LAYER: the tests in verdicts.c give the verdicts in their names, with both.

Each is run by itself, so that it alone decides the exit status. A failure has the same place in verdicts.c with both, and the
line that is marked HERE, if the test has one, is told.
"""
import functools
import pathlib
import re
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1))
PROGRAMS = {"libcmocka": sys.argv.pop(1), "layer": sys.argv.pop(1)}
TEXT = SOURCE.read_text()
NAMES = sorted(set(re.findall(r"\b((?:passes|fails|skips)_\w+)\b", re.search(r"static int all\(.*?^}", TEXT, re.S | re.M).group(0))))
GROUPS = re.findall(r'"(group-\w+-\w+)"', TEXT)
# How libcmocka 1.1.5 and GoogleTest say that one test was run, and how it ended.
ENDS = {"passes": "OK", "skips": "SKIPPED"}


@functools.cache
def run(program, *arguments):
    done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=20)
    return done.returncode, done.stdout


def lines_told(said, behind=r"\b"):
    """Of verdicts.c, in what is said of a failure."""
    return {int(line) for line in re.findall(rf"{re.escape(SOURCE.name)}:(\d+){behind}", said)}


def marked_line(name):
    """The line with HERE that is the test's, by its function or its macro."""
    macro = name.removeprefix("fails_")
    for number, line in enumerate(TEXT.splitlines(), 1):
        if "HERE" in line and re.match(rf"FAILS\({macro}, ", line):
            return number
    body = re.search(rf"^static void {name}\(.*?^}}$", TEXT, re.S | re.M)
    if body is None or "HERE" not in body.group(0):
        return None
    return TEXT[: body.start() + body.group(0).index("HERE")].count("\n") + 1


class Verdicts(unittest.TestCase):
    def test_there_are_some_of_each(self):
        self.assertEqual({name.split("_")[0] for name in NAMES}, {"passes", "fails", "skips"})
        self.assertGreater(len(NAMES), 80)
        self.assertGreater(sum(marked_line(name) is not None for name in NAMES), 25)
        self.assertEqual(len(GROUPS), 3)

    def test_each_is_what_its_name_says(self):
        for name in NAMES:
            verdict = name.split("_")[0]
            for kind, program in PROGRAMS.items():
                with self.subTest(name, by=kind):
                    status, said = run(program, name)
                    self.assertIn(name, said)
                    self.assertEqual(status != 0, verdict == "fails", said)
                    if verdict in ENDS:
                        self.assertRegex(said, rf"\[ +{ENDS[verdict]} +\] \S*{name}\b")

    def test_the_line_of_the_c_source_is_told(self):
        for name in NAMES:
            if line := marked_line(name):
                for kind, program in PROGRAMS.items():
                    with self.subTest(name, by=kind):
                        self.assertIn(line, lines_told(run(program, name)[1]))

    def test_both_fail_at_the_same_lines(self):
        for name in NAMES:
            with self.subTest(name):
                libcmocka = lines_told(run(PROGRAMS["libcmocka"], name)[1])
                layer = lines_told(run(PROGRAMS["layer"], name)[1], ": Failure")
                if libcmocka:  # it knows no place of a fixture that refuses
                    self.assertTrue(layer)
                    self.assertLessEqual(layer, libcmocka)

    def test_all_together_are_red(self):
        for kind, program in PROGRAMS.items():
            with self.subTest(by=kind):
                self.assertNotEqual(run(program)[0], 0)

    def test_none_spoils_another(self):
        """All in one process: the failed ones are those that say so."""
        said = run(PROGRAMS["layer"])[1]
        ended = {name: end for end, name in re.findall(r"^\[ +(\w+) +\] \w+\.(\w+) \(", said, re.M)}
        self.assertEqual(sorted(ended), NAMES)
        self.assertEqual({name for name, end in ended.items() if end == "FAILED"}, {name for name in NAMES if name.startswith("fails")})

    def test_a_groups_setup_that_fails_is_red_and_no_test_of_it_is_run(self):
        for group in ("group-setup-refuses", "group-setup-asserts"):
            for kind, program in PROGRAMS.items():
                with self.subTest(group, by=kind):
                    status, said = run(program, group)
                    self.assertNotEqual(status, 0)
                    self.assertNotIn("a test of the group was run", said)

    def test_a_groups_teardown_that_fails_is_told(self):
        """The exit status of libcmocka 1.1.5 does not say so; that of the layer does."""
        for group in ("group-teardown-refuses", "group-teardown-asserts"):
            for kind, program in PROGRAMS.items():
                with self.subTest(group, by=kind):
                    status, said = run(program, group)
                    self.assertRegex(said, "GROUP TEARDOWN|the group's teardown has failed")
                    self.assertEqual(status, 0 if kind == "libcmocka" else 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
