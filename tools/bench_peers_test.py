#!/usr/bin/env python3
"""bench_peers_test.py - does bench_peers.py read, count, time out, tabulate and draw as it says?

SPDX-License-Identifier: MIT
"""
import os
import re
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree

import bench_chart
import bench_peers
import bench_peers_build
import bench_peers_files
import bench_publish
from bench_peers_rows import ROWS, Row

CPUS = sorted(os.sched_getaffinity(0))
QUIET = types.SimpleNamespace(rounds=3, quick=False)


def peer(name, shell):
    """A program that a line of shell stands for; $1 is the row, $3 the size, $4 the seconds."""
    return bench_peers_build.Ready(name, ["sh", "-c", shell, "peer"], "1")


def cells(*peers, row=None, options=QUIET, budget=60):
    row = row or Row("thing", "tasks", "a thing", "thing", 1, 10, limit=5)
    return row, bench_peers.measure(row, peers, options, CPUS, {}, budget, lambda text: None)


def result(*peers, **more):
    return bench_peers.results_of(*cells(*peers, **more))


class Parsing(unittest.TestCase):
    def test_lines_of_three_words_are_read(self):
        self.assertEqual(bench_peers.parse("a 1.5 ns\nb.c 2e3 B\n"),
                         {"a": (1.5, "ns"), "b.c": (2000.0, "B")})

    def test_anything_else_is_a_failure_that_quotes_it(self):
        for text in ("nonsense", "a b ns"):
            with self.assertRaisesRegex(bench_peers.Failure, text):
                bench_peers.parse(text)


class Measuring(unittest.TestCase):
    def test_the_median_of_the_rounds_counts(self):
        with tempfile.NamedTemporaryFile() as log:
            ours = peer("ours", f"echo >> {log.name}; n=$(wc -l < {log.name});"
                                "echo $1 $((n * n)) ns")
            cell = result(ours)[0]["cells"]["ours"]
        self.assertEqual((cell["value"], cell["samples"], cell["ratio"]), (4, [1, 4, 9], 1))

    def test_others_are_given_as_times_ours(self):
        row = result(peer("ours", "echo $1 20 ns"), peer("go", "echo $1 50 ns"))[0]
        self.assertEqual(row["cells"]["go"]["ratio"], 2.5)

    def test_a_peer_that_fails_is_a_cell_and_is_not_tried_again(self):
        with tempfile.NamedTemporaryFile() as log:
            bad = peer("go", f"echo >> {log.name}; echo no memory >&2; exit 9")
            row = result(peer("ours", "echo $1 1 ns"), bad)[0]
            self.assertEqual(len(log.read()), 1)
        self.assertEqual(row["cells"]["go"], {"error": "exit 9 no memory"})
        self.assertEqual(row["cells"]["ours"]["rounds"], 3)

    def test_a_peer_without_the_row_has_no_cell_and_ours_is_not_built(self):
        row = result(peer("ours", "exit 77"), peer("go", "exit 77"))[0]
        self.assertEqual(row["cells"], {"ours": {"error": "not built"}})

    def test_a_program_that_hangs_is_ended_with_what_it_started(self):
        row = Row("thing", "tasks", "a thing", "thing", 1, 10, limit=0.2)
        found = result(peer("go", "sleep 60 & wait"), row=row)[0]
        self.assertEqual(found["cells"]["go"], {"error": "took more than 0 s"})

    def test_a_program_that_crashes_names_the_signal(self):
        found = result(peer("go", "kill -SEGV $$"))[0]
        self.assertEqual(found["cells"]["go"], {"error": "SIGSEGV"})

    def test_sleepers_that_start_too_slowly_may_sleep_twice_as_long(self):
        slow = peer("ours", "test $4 -ge 4 || exit 3; echo $1 $4 s")
        found = result(slow, options=types.SimpleNamespace(rounds=1, quick=False))[0]
        self.assertEqual(found["cells"]["ours"]["value"], 4)

    def test_without_time_there_is_still_one_round(self):
        found = result(peer("ours", "echo $1 1 ns"), budget=0)[0]
        self.assertEqual(found["cells"]["ours"]["rounds"], 1)

    def test_a_server_is_asked_by_the_client_and_then_ended(self):
        row = Row("echo", "network", "echo", "echo", 1, 7, client="load", limit=5,
                  metrics=[("echo.cpu", "CPU")])
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as load:
            load.write("#!/bin/sh\nkill -0 $3 && echo $1.cpu $2$4 us\n")
            load.flush()
            os.chmod(load.name, 0o700)
            copy = load.name + ".run"  # a file that is open for writing cannot be executed
            with open(load.name, "rb") as text, open(copy, "wb") as out:
                out.write(text.read())
            os.chmod(copy, 0o700)
            server = peer("go", "echo port 7; exec sleep 60")
            measured = bench_peers.measure(row, [server], QUIET, CPUS, {"load": [copy]}, 60,
                                           lambda text: None)
            os.unlink(copy)
        self.assertEqual(measured[0].value("echo.cpu"), (77.0, "us"))


def report():
    """One row with a value for each, one that ours does not have, one failure."""
    first = result(peer("ours", "echo $1 20 ns"), peer("floor", "echo $1 5 ns"),
                   peer("go", "echo $1 5000 ns"), peer("rayon", "echo $1 10 ns"))
    second = result(peer("ours", "exit 77"), peer("go", "echo $1 3 ns"), peer("st", "exit 1"))
    second[0]["title"] = "another <thing> & more"
    return {"machine": bench_peers.machine(), "rounds": 3, "rows": first + second,
            "peers": ["ours", "floor", "go", "rayon", "st"], "versions": {}, "left_out": {}}


class Showing(unittest.TestCase):
    def test_three_figures_are_shown(self):
        self.assertEqual([bench_peers.short(n) for n in (0.01234, 1.5, 99.96, 12345.6)],
                         ["0.0123", "1.5", "100", "12 346"])

    def test_the_table_has_a_line_a_row_and_says_what_failed(self):
        data = report()
        text = bench_peers.table(data["rows"], data["peers"])
        self.assertRegex(text, r"(?m)^  a thing +20 ns +0\.25x +250x +0\.5x$")
        self.assertRegex(text, r"(?m)^  another <thing> & more +not built \(ns\) +3 +failed$")
        self.assertIn("\nanother <thing> & more, st: exit 1", text)

    def test_the_chart_is_well_formed_and_draws_each_value_once(self):
        tree = xml.etree.ElementTree.fromstring(bench_chart.chart(report()))
        rects = tree.findall(".//{http://www.w3.org/2000/svg}rect")
        self.assertEqual(sorted(r.get("class") for r in rects),
                         ["ahead", "floor", "ours", "paper", "peer"])
        words = [t.text for t in tree.findall(".//{http://www.w3.org/2000/svg}text")]
        self.assertTrue(any(re.search("5\N{THIN SPACE}000 ns .*250", w) for w in words), words)

    def test_a_chart_of_nothing_is_a_chart(self):
        data = report()
        data["rows"] = []
        xml.etree.ElementTree.fromstring(bench_chart.chart(data))

    def test_bars_lie_on_the_side_they_should(self):
        scale = bench_chart.Scale(0.1, 100, 0, 300)
        self.assertEqual([round(scale.at(r)) for r in (0.001, 0.1, 1, 10, 100, 1e6)],
                         [0, 0, 100, 200, 300, 300])


class Publishing(unittest.TestCase):
    def readme(self, data, language):
        return bench_publish.block(data, language, bench_publish.TABLES[0])

    def test_the_short_table_has_the_least_of_the_others_by_name(self):
        data = report()
        data["rows"][0]["name"] = "spawn-1"
        self.assertIn("| start and join a task | 20 ns | 5 ns | 5\N{THIN SPACE}000 ns |  | "
                      "rayon 10 ns |", self.readme(data, 0))

    def test_portuguese_has_a_comma(self):
        data = report()
        data["rows"][0]["name"] = "yield"
        data["rows"][0]["cells"]["ours"]["value"] = 12.5
        self.assertIn("| ceder a vez | 12,5 ns |", self.readme(data, 1))

    def test_what_stands_between_the_marks_is_replaced(self):
        text = "a\n<!-- bench-peers -->\nold\n<!-- /bench-peers -->\nb\n"
        self.assertEqual(bench_publish.put(text, "new", "x"), text.replace("old", "new"))
        with self.assertRaisesRegex(SystemExit, "x has no"):
            bench_publish.put("a", "new", "x")

    def test_its_rows_are_rows(self):
        names = {metric.name for row in ROWS for metric in row.metrics}
        for table in bench_publish.TABLES:
            self.assertLessEqual(set(table.rows), names)

    def test_a_row_is_in_the_table_of_its_group(self):
        data = report()
        data["rows"][0]["group"] = "pools"
        mine = [[row["title"] for row in table.of(data)["rows"]] for table in bench_publish.TABLES]
        self.assertEqual(mine, [["another <thing> & more"], [], ["a thing"]])


class Tables(unittest.TestCase):
    def test_names_are_unique_and_known(self):
        names = [metric.name for row in ROWS for metric in row.metrics]
        self.assertEqual(len(names), len(set(names)))
        peers = {p.name for p in bench_peers_build.PEERS} | {"ours", "floor"}
        for row in ROWS:
            self.assertLessEqual(set(row.sizes) | set(row.seconds), peers, row.name)

    def test_a_wrong_name_is_refused_with_those_that_are_right(self):
        with self.assertRaisesRegex(SystemExit, "no row spawn-3; there are: a b"):
            bench_peers.chosen("a,spawn-3", ["a", "b"], "row")
        self.assertEqual(bench_peers.chosen("none", ["a"], "peer"), [])
        self.assertEqual(bench_peers.chosen(None, ["a"], "peer"), ["a"])

    def test_rows_are_chosen_by_name_and_by_group(self):
        names = [row.name for row in bench_peers.chosen_rows("exec,files")]
        self.assertEqual(names, ["files-small", "files-large", "exec"])
        self.assertEqual(bench_peers.chosen_rows(None), ROWS)

    def test_each_group_has_a_table(self):
        groups = [group for table in bench_publish.TABLES for group in table.groups]
        self.assertEqual(sorted(groups), sorted({row.group for row in ROWS}))

    def test_a_row_of_connections_has_as_many_as_there_are_descriptors(self):
        row = Row("echo", "network", "echo", "echo", 1, 1 << 40, client="load")
        cell = bench_peers.Cell(peer("go", ""), row, False, bench_peers.size_max(row, {}, False))
        self.assertEqual(cell.size, bench_peers.descriptors() - bench_peers.SPARE_DESCRIPTORS)
        self.assertTrue(cell.scaled)

    def test_the_files_are_there_and_then_gone(self):
        with tempfile.TemporaryDirectory() as base:
            with bench_peers_files.Files(base) as files:
                self.assertEqual(os.environ["BENCH_FILES"], files.folder)
                self.assertEqual(len(os.listdir(files.folder)), bench_peers_files.SMALL + 1)
                self.assertEqual(files.large(2), 2)
                self.assertEqual(os.path.getsize(os.path.join(files.folder, "large")), 2 << 20)
            self.assertEqual(os.listdir(base), [])

    def test_a_command_that_is_not_there_leaves_its_peer_out(self):
        with self.assertRaisesRegex(bench_peers_build.LeftOut, "no-such-program"):
            bench_peers_build.run(["no-such-program"])


if __name__ == "__main__":
    outcome = unittest.main(argv=sys.argv[:1], exit=False, verbosity=0).result
    wrong = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong else 0)
