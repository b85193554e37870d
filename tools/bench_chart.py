#!/usr/bin/env python3
"""bench_chart.py - draw the results of bench_peers.py as bars, each as many times ours as it is.

SPDX-License-Identifier: MIT

Usage: tools/bench_chart.py RESULTS.json > CHART.svg

One panel for each row of the table.  The scale is logarithmic and the same in all panels; ours is
the line at 1, and a bar goes to the right if its peer needs more and to the left if it needs less.
Colours follow the reader's scheme, light or dark.
"""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, MARGIN, GAP = 1040, 20, 32
LABEL, VALUE = 104, 128     # beside the bars
BAR, STEP, HEAD, FOOT = 11, 16, 22, 26
TOP_HEIGHT = 84
LEAST, MOST = 0.05, 5000.0  # of the scale, times ours; what lies beyond is cut there

STYLE = """
  .paper { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; }
  .ours { fill: #0b7a53; } .peer { fill: #7aa7d9; } .ahead { fill: #d9822b; }
  .floor { fill: #ffffff; stroke: #59636e; } .grid { stroke: #d8dee4; } .one { stroke: #0b7a53; }
  text { font: 11px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif; }
  .tick { font-size: 9px; }
  .head { font-weight: 600; font-size: 12px; } .title { font-weight: 600; font-size: 18px; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } .ink { fill: #e6edf3; } .soft { fill: #9198a1; }
    .ours { fill: #3fb68b; } .peer { fill: #4a76a8; } .ahead { fill: #d9822b; }
    .floor { fill: #0d1117; stroke: #9198a1; } .grid { stroke: #262c36; } .one { stroke: #3fb68b; }
  }
"""
TITLES = {"ours": "Urdume", "floor": "floor", "go": "Go", "tokio": "Tokio",
          "tokio-mimalloc": "Tokio, mimalloc", "onetbb": "oneTBB", "openmp": "OpenMP",
          "fiber": "boost.fiber", "st": "state-threads", "futures": "futures (Python)",
          "multiprocessing": "multiprocessing", "zeromq": "ZeroMQ",
          "interprocess": "Boost.Interproc.", "vfork": "vfork, exec"}


def number(value):
    """Three figures that a person reads."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", "\N{THIN SPACE}")
    return f"{value:.3g}"


def tick(ratio):
    return f"{ratio:,.0f}".replace(",", "") if ratio >= 1 else f"1/{1 / ratio:.0f}"


def text(x, y, words, kind, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">' \
           f"{escape(words)}</text>"


def bars_of(row):
    """Who has a value, the least first."""
    found = [(name, entry) for name, entry in row["cells"].items() if "value" in entry]
    return sorted(found, key=lambda pair: pair[1]["value"])


def extent(rows):
    """The ends of the scale: a half decade below the least, a decade at the most."""
    ratios = [e["ratio"] for row in rows for _, e in bars_of(row)] + [0.5, 20]
    low = max(LEAST, min(ratios))
    high = min(MOST, max(ratios))
    return 10 ** (math.floor(math.log10(low) * 2) / 2), 10 ** math.ceil(math.log10(high))


class Scale:
    """Where on the page a ratio lies."""

    def __init__(self, low, high, left, right):
        self.low, self.high, self.left, self.right = low, high, left, right

    def at(self, ratio):
        ratio = min(max(ratio, self.low), self.high)
        part = math.log(ratio / self.low) / math.log(self.high / self.low)
        return self.left + part * (self.right - self.left)

    def decades(self):
        first = math.ceil(math.log10(self.low) - 1e-9)
        return [10.0 ** k for k in range(first, int(math.log10(self.high) + 1e-9) + 1)]


def bar(name, entry, scale, y):
    ratio = entry["ratio"]
    zero, end = scale.at(1), scale.at(ratio)
    kind = name if name in ("ours", "floor") else "ahead" if ratio < 0.95 else "peer"
    left, width = min(zero, end), max(abs(end - zero), 2.0)
    mark = "~" if entry.get("scaled_from") else ""
    value = f"{mark}{number(entry['value'])} {entry['unit']}"
    if name != "ours":
        value += f"  \N{MULTIPLICATION SIGN}{number(ratio)}"
    return [text(scale.left - LABEL, y + BAR - 2, TITLES.get(name, name),
                 "ink" if name == "ours" else "soft"),
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" rx="1.5" '
            f'class="{kind}"/>',
            text(max(zero, end) + 5, y + BAR - 2, value, "ink" if name == "ours" else "soft")]


def panel_height(row):
    return HEAD + STEP * len(bars_of(row)) + FOOT


def panel(row, scale, y):
    shapes = [text(scale.left - LABEL, y + 13, row["title"], "head ink")]
    top, bottom = y + HEAD - 2, y + HEAD + STEP * len(bars_of(row)) - 2
    for ratio in scale.decades():
        x = scale.at(ratio)
        kind = "one" if ratio == 1 else "grid"
        shapes.append(f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" '
                      f'class="{kind}"/>')
        shapes.append(text(x, bottom + 9, tick(ratio), "tick soft", "middle"))
    for place, (name, entry) in enumerate(bars_of(row)):
        shapes += bar(name, entry, scale, y + HEAD + STEP * place)
    return shapes


def chart(report):
    """The whole picture, as SVG."""
    rows = [row for row in report["rows"] if "value" in row["cells"].get("ours", {})
            and len(bars_of(row)) > 1]
    low, high = extent(rows)
    column = (WIDTH - 2 * MARGIN - GAP) / 2
    lefts = [MARGIN + LABEL, MARGIN + column + GAP + LABEL]
    scales = [Scale(low, high, left, left + column - LABEL - VALUE) for left in lefts]
    half, used, ends, shapes = sum(map(panel_height, rows)) / 2, 0, [0, 0], []
    for row in rows:
        side = 0 if used + panel_height(row) / 2 <= half else 1
        shapes += panel(row, scales[side], TOP_HEIGHT + ends[side])
        ends[side] += panel_height(row)
        used += panel_height(row)
    machine, height = report["machine"], TOP_HEIGHT + max(ends) + MARGIN
    about = f"{machine['processors']} processors ({machine['cpu']}), Linux {machine['kernel']}, " \
            f"{machine['date']}, medians of up to {report['rounds']} rounds"
    legend = "Times Urdume, logarithmic: right of the green line needs more, left of it (orange) " \
             "needs less.  Floor: written by hand for that row alone.  ~: a smaller size, scaled."
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
        f"<title>{escape('Urdume beside other runtimes')}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height:.0f}" class="paper"/>',
        text(MARGIN, 30, "Urdume beside other runtimes: less is better", "title ink"),
        text(MARGIN, 50, about, "soft"), text(MARGIN, 67, legend, "soft"), *shapes, "</svg>", ""])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: tools/bench_chart.py RESULTS.json > CHART.svg")
    with open(sys.argv[1], encoding="utf-8") as results:
        sys.stdout.write(chart(json.load(results)))


if __name__ == "__main__":
    main()
