#!/usr/bin/env python3
"""module_page_test.py COMPILER: man/drover-module.3 against the contract, the module that it shows, and the compiler.

The page describes a function as ".It Ft TYPE Fn name ARGUMENTS" and a field as ".It Vt TYPE Va name"; a literal display
after .\\" test: compile is a whole source file, the first of them modules/echo/echo.cpp.
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGE_FILE = SOURCE / "man/drover-module.3"
PAGE = PAGE_FILE.read_text()
TESTKIT = (SOURCE / "modules/sdk/testkit/testkit.h").read_text()
HEADERS = ("drover_types.h", "drover_host.h", "drover_module.h")
HEADER = re.sub(r"/\*.*?\*/", "", "".join((SOURCE / "modules/sdk" / each).read_text() for each in HEADERS), flags=re.DOTALL)
COMPILER = "c++"
STRUCTS = {"drover_module": "HOOKS", "drover_host": "HOST FUNCTIONS", "drover_transport": "STREAMS"}  # and the section of each


def plain(declaration):
    """With one notation for blanks and stars."""
    return re.sub(r" ?\* ?", "*", " ".join(declaration.split()))


def declared(struct):
    """The members in the header: name -> declaration, in one notation."""
    body = re.search(rf"^struct {struct} {{\n(.*?)^}};", HEADER, re.DOTALL | re.MULTILINE).group(1)
    members = {}
    for member in filter(None, map(plain, body.split(";"))):
        function = re.fullmatch(r"(.*?)\(\*(\w+)\)\((.*)\)", member)
        kind, name, arguments = function.groups() if function else (*re.fullmatch(r"(.*[ *])(\w+)", member).groups(), None)
        members[name] = (kind.strip(), arguments)
    return members


def described(section):
    """The same of the page."""
    text = PAGE.partition(f"\n.Sh {section}\n")[2].partition("\n.Sh ")[0]
    members = []
    for item in re.findall(r"^\.It ((?:Ft|Vt) .*)$", text, re.MULTILINE):
        macro, kind, *rest = [word for word in shlex.split(item) if word != "Ns"]
        mark, name, *arguments = rest
        assert mark == {"Ft": "Fn", "Vt": "Va"}[macro], item
        members.append((name, (plain(kind), plain(", ".join(arguments)) if macro == "Ft" else None)))
    return members


def listings(mark="compile"):
    """The sources, as mandoc would print them; "compile c" are those in C."""
    texts = re.findall(rf'^\.\\" test: {mark}\n\.Bd -literal[^\n]*\n(.*?)^\.Ed$', PAGE, re.DOTALL | re.MULTILINE)
    return [text.replace("\\e", "\\").replace("\\&", "") for text in texts]


class ModulePage(unittest.TestCase):
    maxDiff = None

    def test_it_describes_every_member_once_and_no_other(self):
        for struct, section in STRUCTS.items():
            names = [name for name, _ in described(section)]
            self.assertTrue(declared(struct))
            self.assertEqual(sorted(names), sorted(declared(struct)), struct)

    def test_it_declares_each_as_the_header_does(self):
        for struct, section in STRUCTS.items():
            self.assertEqual(dict(described(section)), declared(struct), struct)

    def test_it_names_nothing_that_does_not_exist(self):
        functions = {name for struct in STRUCTS for name in declared(struct)}
        self.assertLessEqual(set(re.findall(r"\bFn (\w+)", PAGE)), functions)
        constants = set(re.findall(r"\bDROVER_\w+", HEADER + TESTKIT)) | {"DROVER_MODULE"}  # module.hpp's
        self.assertLessEqual(set(re.findall(r"\bDROVER_\w+", PAGE)), constants)
        files = re.findall(r"\b(?:modules|tests)/\w[\w./]*\w", PAGE.replace("build/dev/test-modules/relay.so", ""))
        self.assertTrue(files)
        for file in files:
            self.assertTrue((SOURCE / file).exists(), file)

    def test_it_shows_echo_as_it_is(self):
        text = (SOURCE / "modules/echo/echo.cpp").read_text()
        self.assertEqual(listings()[0], text.replace('"modules/sdk/module.hpp"', "<drover/module.hpp>"))

    def test_it_names_every_function_of_the_test_kit_in_c(self):
        declared_names = set(re.findall(r"\bdrover_testkit_(\w+)\(", TESTKIT))
        described_names = PAGE.partition("\n.Li drover_testkit_ :\n")[2].partition("\n.Sh ")[0]
        named = set(re.findall(r"\w+", " ".join(re.findall(r"^\.Li (.*)$", described_names, re.MULTILINE))))
        self.assertGreater(len(declared_names), 25)
        self.assertEqual(named, declared_names)
        self.assertLessEqual(set(re.findall(r"\bdrover_testkit_(\w+)", PAGE)), declared_names)

    def compile(self, text, *flags):
        with tempfile.TemporaryDirectory() as include:  # as it is when the headers are installed
            pathlib.Path(include, "drover").symlink_to(SOURCE / "modules/sdk")
            run = subprocess.run([COMPILER, "-Wall", "-Wextra", "-Werror", f"-I{include}", "-fsyntax-only", *flags, "-"],
                                 input=text, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, f"\n{text}\n{run.stderr}")

    def test_its_listings_compile(self):
        in_c = listings("compile c")
        self.assertEqual(len(listings()) + len(in_c), PAGE.count("\n.\\\" test: compile"))
        self.assertTrue(in_c)
        for text in listings():
            self.compile(text, "-std=c++20", "-xc++")
        for text in in_c:  # with libcmocka's header and with that of the layer
            self.compile(text, "-std=c11", "-pedantic", "-xc")
            self.compile(text, "-std=c11", "-pedantic", f"-I{SOURCE}/modules/sdk/testkit/cmocka", "-xc")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        COMPILER = sys.argv.pop(1)
    unittest.main(verbosity=2)
