#!/usr/bin/env python3
"""kit_test.py: what is installed for authors of modules (component dev of $DROVER_BUILD_DIR, or the package drover-dev in
$DROVER_PACKAGES) is all that they need.

It is installed into an empty folder; the template that lies there is copied, built and tested in folders of its
own, by make with pkg-config and by CMake, as its README says, and served by the daemon.
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
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["DROVER_BUILD_DIR"]).resolve()
PORT = "7070"  # what the template says


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


class Kit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="drover-kit."))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "usr"
        cls.install()
        cls.template = cls.prefix / "share/drover/template"
        pkgconfig = next(cls.prefix.rglob("pkgconfig"))
        cls.environment = {"PATH": f"{BUILD}:/usr/bin:/bin:/usr/sbin", "PKG_CONFIG_PATH": str(pkgconfig), "HOME": str(cls.folder),
                           "CMAKE_PREFIX_PATH": str(cls.prefix), "LC_ALL": "C"}

    @classmethod
    def install(cls):
        if "DROVER_PACKAGES" not in os.environ:
            subprocess.run(["cmake", "--install", BUILD, "--component", "dev", "--prefix", cls.prefix], check=True,
                           stdout=subprocess.DEVNULL)
            return
        package, = pathlib.Path(os.environ["DROVER_PACKAGES"]).glob("drover-dev_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, cls.folder], check=True)
        for file in cls.prefix.rglob("*.pc"):
            file.write_text(file.read_text().replace("prefix=/usr\n", f"prefix={cls.prefix}\n"))

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def run_there(self, script, folder=None):
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder or self.place, env=self.environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        self.assertEqual(run.returncode, 0, f"{script}\n{run.stdout}")
        return run.stdout

    def copy(self):
        shutil.copytree(self.template, self.place / "mine")
        return self.place / "mine"

    def answer_of(self, folder, module, sent):
        """What the daemon answers that serves the folder's configuration with that module."""
        port = free_port()
        config = (folder / "template.conf").read_text().replace(PORT, port)
        (folder / "here.conf").write_text(config.replace("./template.so", str(module)))
        with subprocess.Popen([BUILD / "drover", "-F", "-c", "here.conf"], cwd=folder, stderr=subprocess.PIPE, text=True) as daemon:
            try:
                self.assertTrue(any("serving" in line for line in daemon.stderr), "it ended before it served")
                with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as s:
                    s.sendall(sent)
                    s.shutdown(socket.SHUT_WR)
                    return b"".join(iter(lambda: s.recv(4096), b""))
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.stderr.read()

    def test_nothing_of_the_tree_is_named(self):
        for file in filter(pathlib.Path.is_file, self.prefix.rglob("*")):
            if file.suffix not in (".a", ".gz"):
                self.assertNotIn(str(SOURCE), file.read_text(), file)
                self.assertNotIn('#include "modules/', file.read_text(), file)

    def test_make_builds_tests_and_installs_the_template(self):
        mine = self.copy()
        self.assertIn("[  PASSED  ] 3 tests", self.run_there("make && make check && make install DESTDIR=$PWD/root", mine))
        self.assertTrue((mine / "root/usr/lib/drover/modules/template.so").exists())
        symbols = self.run_there("nm -D --defined-only template.so", mine).split()
        self.assertEqual(symbols[2::3], ["drover_module"])
        self.assertEqual(self.answer_of(mine, "./template.so", b"one\ntwo\n"), b"hello\n1 one\n2 two\n")

    def test_cmake_builds_and_tests_the_template(self):
        mine = self.copy()
        said = self.run_there("cmake -B build && cmake --build build && ctest --test-dir build", mine)
        self.assertIn("100% tests passed, 0 tests failed out of 1", said)
        self.assertEqual(self.answer_of(mine, "build/template.so", b"x\n"), b"hello\n1 x\n")

    def test_its_readme_can_be_followed(self):
        text = (self.template / "README.md").read_text()
        script = re.search(r"```sh\n(.*?)```", text, re.DOTALL).group(1)
        serve = re.search(r"^drover -F .*\n", script, re.MULTILINE).group(0)
        said = self.run_there(script.replace("/usr/share", str(self.prefix / "share")).replace(serve, ""))
        self.assertIn("[  PASSED  ]", said)
        again = "; ".join(re.search(r"`(cmake .*?)`", text).group(1).split(" && "))
        self.run_there(again, self.place / "mymodule")

    def test_it_is_renamed_as_its_readme_says(self):
        mine = self.copy()
        script = re.findall(r"```sh\n(.*?)```", (mine / "README.md").read_text(), re.DOTALL)[1]
        said = self.run_there(script + "make && make check && drover -t -c counter.conf && cmake -B build && cmake --build build", mine)
        self.assertIn("[  PASSED  ] 3 tests", said)
        self.assertTrue((mine / "counter.so").exists())
        self.assertTrue((mine / "build/counter.so").exists())

    def test_a_module_in_c_needs_no_more(self):
        text = (SOURCE / "tests/modules/echo_c/echo_c.c").read_text()
        (self.place / "echo_c.c").write_text(text.replace("modules/sdk/", "drover/"))
        self.run_there("cc -std=c11 -Wall -Wextra -Werror -pedantic -fPIC -shared $(pkg-config --cflags drover-c) "
                       "-o echo_c.so echo_c.c $(pkg-config --libs drover-c)")
        (self.place / "template.conf").write_text("[drover]\nload = ./template.so\n[server s]\nlisten = 127.0.0.1:7070\nprotocol = echo_c\n")
        self.assertEqual(self.answer_of(self.place, "./echo_c.so", b"text"), b"text")
        (self.place / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(p LANGUAGES C CXX)\n"
                                                   "find_package(drover REQUIRED)\ndrover_add_module(echo_c echo_c.c)\n")
        self.run_there("cmake -B b && cmake --build b")
        self.assertEqual(self.answer_of(self.place, "b/echo_c.so", b"text"), b"text")

    def c_test(self):
        """The test in C of the module in C, which it finds in test-modules."""
        (self.place / "test-modules").mkdir()
        for source in ("tests/modules/echo_c/echo_c.c", "tests/cmocka/echo_c_test.c"):
            text = (SOURCE / source).read_text().replace('"modules/sdk/', '"drover/')
            (self.place / pathlib.Path(source).name).write_text(text)
        self.run_there("cc -std=c11 -fPIC -shared $(pkg-config --cflags drover-c) -o test-modules/echo_c.so echo_c.c "
                       "$(pkg-config --libs drover-c)")

    def test_a_test_in_c_is_built_with_libcmocka_and_with_googletest(self):
        self.c_test()
        for kit, passed in (("cmocka", "[  PASSED  ] 7 test(s)."), ("drover-cmocka", "[  PASSED  ] 7 tests.")):
            said = self.run_there(f"cc -std=c11 -Wall -Wextra -Werror -DDROVER_BUILD_DIR='\".\"' -o {kit} echo_c_test.c "
                                  f"$(pkg-config --cflags --libs drover-testkit {kit}) && ./{kit}")
            self.assertIn(passed, said)

    def test_cmake_knows_the_layer_over_googletest(self):
        self.c_test()
        (self.place / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.18)\nproject(p LANGUAGES C CXX)\nfind_package(drover REQUIRED)\n"
            "add_executable(p echo_c_test.c)\ntarget_link_libraries(p PRIVATE drover::testkit drover::cmocka)\n"
            "target_compile_definitions(p PRIVATE DROVER_BUILD_DIR=\".\")\n")
        self.assertIn("[  PASSED  ] 7 tests.", self.run_there("cmake -B b && cmake --build b && b/p"))

    def test_what_is_private_is_not_installed(self):
        headers = {path.name for path in (self.prefix / "include/drover/testkit").rglob("*.h*")}
        self.assertEqual(headers, {"testkit.hpp", "testkit.h", "cmocka.h"})

    def test_pkg_config_and_cmake_know_the_abi(self):
        abi = re.search(r"#define DROVER_ABI (\d+)u", (self.prefix / "include/drover/drover_types.h").read_text()).group(1)
        self.assertEqual(self.run_there("pkg-config --variable=abi drover").strip(), abi)
        (self.place / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(p LANGUAGES CXX)\n"
                                                   "find_package(drover REQUIRED)\nmessage(\"abi=${drover_ABI}\")\n")
        self.assertIn(f"abi={abi}\n", self.run_there("cmake -B b 2>&1"))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
