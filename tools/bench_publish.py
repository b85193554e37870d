#!/usr/bin/env python3
"""bench_publish.py - put the results of bench_peers.py into the READMEs, and the chart into docs/.

SPDX-License-Identifier: MIT

Usage: tools/bench_publish.py RESULTS.json [TOP]

Writes what stands between `<!-- bench-peers -->` and `<!-- /bench-peers -->` in README.md and
README.pt-BR.md, and docs/bench-peers.svg.  So the figures in the tree are those of one run, and
nobody copies them by hand.
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
    "for-uneven": ("uneven loop, per element", "laço desigual, por elemento"),
    "sort": ("sort, per element", "ordenar, por elemento"),
    "mutex-2": ("mutex, 1000 tasks, 2 workers", "mutex, 1000 tarefas, 2 workers"),
    "sleepers.bytes": ("memory of a sleeping task", "memória de uma tarefa que dorme"),
    "timers-fire.cpu": ("1 M timers in 1 s, CPU", "1 M timers em 1 s, CPU"),
    "echo.cpu": ("TCP echo, CPU a request", "eco TCP, CPU por pedido"),
}
LANGUAGES = [
    ("README.md", 0, {
        "heads": ("", "Urdume", "floor", "Go", "Tokio", "best of the others"),
        "machine": "{processors} processors ({cpu}), Linux {kernel}; medians of one run in "
                   "which all take turns; less is better. The floor is written by hand for "
                   "that row alone; ~ was measured at a smaller size. [All rows as a chart]"
                   "(docs/bench-peers.svg); [what is compared, and how](bench/peers/README.md)."}),
    ("README.pt-BR.md", 1, {
        "heads": ("", "Urdume", "piso", "Go", "Tokio", "melhor dos outros"),
        "machine": "{processors} processadores ({cpu}), Linux {kernel}; medianas de uma "
                   "execução em que todos se revezam; menos é melhor. O piso foi escrito à mão "
                   "só para aquela linha; ~ foi medido em tamanho menor. [Todas as linhas em "
                   "gráfico](docs/bench-peers.svg); [o que se compara, e como]"
                   "(bench/peers/README.md)."}),
]
FAMILIES = {"go": ("go",), "tokio": ("tokio", "tokio-mimalloc")}


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


def block(report, language, words):
    """The text between the marks."""
    lines = ["| " + " | ".join(words["heads"]) + " |", "|---" * len(words["heads"]) + "|"]
    others = [name for name in report["peers"]
              if name not in ("ours", "floor", *FAMILIES["go"], *FAMILIES["tokio"])]
    for row in report["rows"]:
        cells = row["cells"]
        if row["name"] in SHORT and "value" in cells.get("ours", {}):
            columns = [SHORT[row["name"]][language],
                       *(best(cells, names, language) for names in
                         (("ours",), ("floor",), FAMILIES["go"], FAMILIES["tokio"])),
                       best(cells, others, language, named=True)]
            lines.append("| " + " | ".join(columns) + " |")
    return "\n".join([*lines, "", words["machine"].format(**report["machine"])])


def put(text, new, path):
    marks = re.compile(r"(<!-- bench-peers -->\n).*?(<!-- /bench-peers -->)", re.S)
    if not marks.search(text):
        sys.exit(f"{path} has no <!-- bench-peers --> ... <!-- /bench-peers -->")
    return marks.sub(lambda match: match[1] + new + "\n" + match[2], text)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: tools/bench_publish.py RESULTS.json [TOP]")
    top = sys.argv[2] if len(sys.argv) > 2 else TOP
    with open(sys.argv[1], encoding="utf-8") as results:
        report = json.load(results)
    for name, language, words in LANGUAGES:
        path = os.path.join(top, name)
        with open(path, encoding="utf-8") as old:
            text = put(old.read(), block(report, language, words), name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
    with open(os.path.join(top, "docs", "bench-peers.svg"), "w", encoding="utf-8") as out:
        out.write(bench_chart.chart(report))


if __name__ == "__main__":
    main()
