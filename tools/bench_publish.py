#!/usr/bin/env python3
"""bench_publish.py - put the results of bench_peers.py into the READMEs, and the chart into docs/.

SPDX-License-Identifier: MIT

Usage: tools/bench_publish.py RESULTS.json [TOP]

Writes what stands between `<!-- bench-peers -->` and `<!-- /bench-peers -->` in README.md and
README.pt-BR.md, and docs/bench-peers.svg; and the same for `bench-io`, which has the rows of
network, files and programs, and for `bench-pools`.  So the figures of a table are those of one run,
and nobody copies them by hand.  A table of which the run measured no row stays as it is.
"""
import json
import os
import re
import sys

import bench_chart

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The rows of the short table, by name: in English and in Portuguese.
SHORT = {
    "spawn-1": ("start and join a task", "iniciar e esperar uma tarefa"),
    "spawn-2": ("the same, 2 workers", "o mesmo, 2 workers"),
    "yield": ("yield", "ceder a vez"),
    "pingpong-1": ("message there and back", "mensagem de ida e volta"),
    "wake.p50": ("wake an idle program", "acordar um programa ocioso"),
    "chan": ("channel, 4 to 4, 2 workers", "canal, 4 para 4, 2 workers"),
    "skynet-2": ("tree of 1.1 M tasks, 2 workers", "árvore de 1,1 M tarefas, 2 workers"),
    "fib-2": ("fib(32), 2 workers", "fib(32), 2 workers"),
    "burst": ("burst of work after a pause, 2 workers",
              "rajada de trabalho após uma pausa, 2 workers"),
    "for-uneven": ("uneven loop, per element", "laço desigual, por elemento"),
    "sort": ("sort, per element", "ordenar, por elemento"),
    "mutex-2": ("mutex, 1000 tasks, 2 workers", "mutex, 1000 tarefas, 2 workers"),
    "sleepers.bytes": ("memory of a sleeping task", "memória de uma tarefa que dorme"),
    "timers-fire.cpu": ("1 M timers in 1 s, CPU", "1 M timers em 1 s, CPU"),
}
IO = {
    "echo.cpu": ("TCP echo, 64 connections: CPU a request", "eco TCP, 64 conexões: CPU por pedido"),
    "echo-many.cpu": ("10 000 connections", "10 000 conexões"),
    "echo-many.p99": ("10 000 connections: latency, p99", "10 000 conexões: latência, p99"),
    "echo-deep.cpu": ("64, 16 messages deep", "64, com 16 mensagens em curso"),
    "accept.cpu": ("accept and close, CPU a connection", "aceitar e fechar, CPU por conexão"),
    "http.cpu": ("HTTP/1.1, a word: CPU a request", "HTTP/1.1, uma palavra: CPU por pedido"),
    "http-file.cpu": ("HTTP/1.1, a file of 4 KiB", "HTTP/1.1, um arquivo de 4 KiB"),
    "files-small": ("read a small file, of 10 000", "ler um arquivo pequeno, de 10 000"),
    "files-large": ("read a MiB of a large file", "ler um MiB de um arquivo grande"),
    "exec": ("start /bin/true, and wait", "iniciar /bin/true e esperar"),
    "exec-large": ("the same, 2 GiB in use", "o mesmo, 2 GiB em uso"),
}
POOLS = {
    "submit": ("thread pool, a job", "pool de threads, uma tarefa"),
    "pool-one": ("process pool, one job at a time", "pool de processos, uma tarefa por vez"),
    "pool-asleep": ("the same, when all sleep", "o mesmo, quando todos dormem"),
    "pool-map": ("process pool, map, a job an element", "pool de processos, map, um a um"),
    "pool-chunks": ("the same, Python in chunks", "o mesmo, Python em blocos"),
    "pool-64k": ("a job of 64 KiB", "uma tarefa de 64 KiB"),
    "pool-16m": ("a job of 16 MiB", "uma tarefa de 16 MiB"),
    "chan-process": ("message between processes", "mensagem entre processos"),
    "mutex-process": ("mutex between processes", "mutex entre processos"),
    "process-start": ("start a process, 2 GiB in use", "iniciar um processo, 2 GiB em uso"),
}
MACHINE = (
    "{processors} processors ({cpu}), Linux {kernel}; medians of one run in which all take turns; "
    "less is better. The floor is written by hand for that row alone; ~ was measured at a smaller "
    "size. [All rows as a chart]({chart}); [what is compared, and how](bench/peers/README.md).",
    "{processors} processadores ({cpu}), Linux {kernel}; medianas de uma execução em que todos se "
    "revezam; menos é melhor. O piso foi escrito à mão só para aquela linha; ~ foi medido em "
    "tamanho menor. [Todas as linhas em gráfico]({chart}); [o que se compara, e como]"
    "(bench/peers/README.md).")
READMES = ("README.md", "README.pt-BR.md")


class Table:
    """A table of the READMEs and its chart: its rows, and the peers that have a column."""

    def __init__(self, mark, rows, groups, families, heads):
        self.mark, self.rows, self.groups = mark, rows, groups
        self.families, self.heads = families, heads
        self.chart = f"docs/{mark}.svg"

    def of(self, report):
        """What of the report belongs here."""
        return {**report, "rows": [row for row in report["rows"]
                                   if row["group"] in self.groups]}


TABLES = (
    Table("bench-peers", SHORT,
          ("tasks", "messages", "trees", "loops", "locks", "waiting"),
          {"go": ("go",), "tokio": ("tokio", "tokio-mimalloc")},
          (("", "Urdume", "floor", "Go", "Tokio", "best of the others"),
           ("", "Urdume", "piso", "Go", "Tokio", "melhor dos outros"))),
    Table("bench-io", IO, ("network", "files", "programs"),
          {"go": ("go",), "tokio": ("tokio", "tokio-mimalloc", "hyper")},
          (("", "Urdume", "floor", "Go", "Tokio", "best of the others"),
           ("", "Urdume", "piso", "Go", "Tokio", "melhor dos outros"))),
    Table("bench-pools", POOLS, ("pools",),
          {"python": ("multiprocessing", "futures")},
          (("", "Urdume", "floor", "Python", "best of the others"),
           ("", "Urdume", "piso", "Python", "melhor dos outros"))),
)


def figure(entry, comma):
    mark = "~" if entry.get("scaled_from") else ""
    text = bench_chart.number(entry["value"])
    return f"{mark}{text.replace('.', ',') if comma else text} {entry['unit']}"


def best(cells, names, comma, named=False):
    """The least of these peers; of Tokio with either allocator."""
    found = [(cells[name]["value"], name) for name in names if "value" in cells.get(name, {})]
    if not found:
        return ""
    name = min(found)[1]
    text = figure(cells[name], comma)
    return f"{bench_chart.TITLES.get(name, name)} {text}" if named else text


def block(report, language, table):
    """The text between the marks."""
    heads = table.heads[language]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    named = {name for family in table.families.values() for name in family}
    others = [name for name in report["peers"] if name not in {"ours", "floor", *named}]
    for row in report["rows"]:
        cells = row["cells"]
        if row["name"] in table.rows and "value" in cells.get("ours", {}):
            columns = [table.rows[row["name"]][language],
                       *(best(cells, names, language) for names in
                         (("ours",), ("floor",), *table.families.values())),
                       best(cells, others, language, named=True)]
            lines.append("| " + " | ".join(columns) + " |")
    machine = MACHINE[language].format(**report["machine"], chart=table.chart)
    return "\n".join([*lines, "", machine])


def put(text, new, path, mark="bench-peers"):
    marks = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.S)
    if not marks.search(text):
        sys.exit(f"{path} has no <!-- {mark} --> ... <!-- /{mark} -->")
    return marks.sub(lambda match: match[1] + new + "\n" + match[2], text)


def publish(report, table, top):
    for language, name in enumerate(READMES):
        path = os.path.join(top, name)
        with open(path, encoding="utf-8") as old:
            text = put(old.read(), block(report, language, table), name, table.mark)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
    with open(os.path.join(top, table.chart), "w", encoding="utf-8") as out:
        out.write(bench_chart.chart(report))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: tools/bench_publish.py RESULTS.json [TOP]")
    top = sys.argv[2] if len(sys.argv) > 2 else TOP
    with open(sys.argv[1], encoding="utf-8") as results:
        report = json.load(results)
    for table in TABLES:
        if table.of(report)["rows"]:
            publish(table.of(report), table, top)


if __name__ == "__main__":
    main()
