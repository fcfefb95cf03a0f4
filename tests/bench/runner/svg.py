"""The results as pictures, with nothing but text: bars for each scenario, curves for growth."""

import math
from html import escape

from .report import GROWTH, GROWTH_OVER, number

FONT = "font-family='system-ui, sans-serif' font-size='12'"
INK, FAINT = "#222", "#ccc"
COLOURS = {"wshub": "#c2410c", "wshub-own": "#f59e0b", "limit": "#64748b", "peer": "#93c5fd"}


def colour(server):
    return COLOURS.get(server) or COLOURS["limit" if server.startswith("limit") else "peer"]


def text(x, y, words, anchor="start", more=""):
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{INK}' {more}>{escape(words)}</text>"


def drawing(width, height, parts):
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' {FONT}>\n"
        f"<rect width='100%' height='100%' fill='white'/>\n" + "\n".join(parts) + "\n</svg>\n"
    )


# ---- bars

PANEL, NAME, ROW, TITLE, GAP = 470, 120, 17, 40, 18


def bars(results):
    """A panel for each scenario, two beside each other; shorter is better."""
    shown = [s for s in results.scenarios if s.family not in GROWTH]
    shown = [s for s in shown if any(results.median(s, server) is not None for server in s.servers)]
    if not shown:
        return None
    parts, tops = [], [0, 0]
    for scenario in shown:
        column = tops.index(min(tops))
        height = TITLE + ROW * len(scenario.servers)
        parts.append(panel(results, scenario, column * (PANEL + GAP) + GAP, tops[column] + GAP))
        tops[column] += height + GAP
    return drawing(2 * PANEL + 3 * GAP, max(tops) + GAP, parts)


def panel(results, scenario, x, y):
    values = {server: results.median(scenario, server) for server in scenario.servers}
    most = max((v for v in values.values() if v is not None), default=0) or 1
    better = "more is better" if scenario.figure == "kept" else "less is better"
    parts = [
        text(x, y + 12, scenario.title, more="font-weight='bold'"),
        text(x, y + 28, f"{scenario.unit}, {better}", more="font-size='11'"),
    ]
    for i, (server, value) in enumerate(values.items()):
        top = y + TITLE + i * ROW
        parts.append(text(x + NAME - 6, top + 11, server, "end"))
        if value is None:
            parts.append(text(x + NAME, top + 11, "failed"))
            continue
        width = max(1, (PANEL - NAME - 55) * value / most)
        parts.append(
            f"<rect x='{x + NAME}' y='{top}' width='{width:.1f}' height='{ROW - 4}' fill='{colour(server)}'/>"
        )
        parts.append(text(x + NAME + width + 4, top + 11, number(value, scenario.scale)))
    return "\n".join(parts)


# ---- curves

PLOT_WIDTH, PLOT_HEIGHT, LEFT, BOTTOM = 400, 240, 45, 60


def growth(results):
    """A plot for each kind of growth: cost upwards, counts to the right on a logarithmic scale."""
    plots = []
    for family in GROWTH:
        points = [s for s in results.scenarios if s.family == family]
        if points:
            plots.append(plot(results, family, points, len(plots) * (PLOT_WIDTH + LEFT + GAP), 0))
    width = len(plots) * (PLOT_WIDTH + LEFT + GAP) + GAP
    return drawing(width, PLOT_HEIGHT + BOTTOM + TITLE, plots) if plots else None


def plot(results, family, points, x, y):
    servers = points[0].servers
    curves = {server: [(s.count, results.median(s, server)) for s in points] for server in servers}
    most = max((v for curve in curves.values() for _, v in curve if v is not None), default=0) or 1
    step = nice(most / 4)
    top = step * math.ceil(most / step)
    left, right = math.log10(points[0].count), math.log10(points[-1].count)

    def at(count, value):
        share = (math.log10(count) - left) / ((right - left) or 1)
        return x + LEFT + share * (PLOT_WIDTH - 30) + 10, y + TITLE + PLOT_HEIGHT * (1 - value / top)

    parts = [text(x + LEFT, y + 20, GROWTH[family], more="font-weight='bold'")]
    for i in range(round(top / step) + 1):
        _, level = at(points[0].count, i * step)
        parts.append(f"<path d='M{x + LEFT} {level:.1f}h{PLOT_WIDTH}' stroke='{FAINT}'/>")
        parts.append(text(x + LEFT - 4, level + 4, f"{i * step:.3g}", "end"))
    for s in points:
        parts.append(text(at(s.count, 0)[0], y + TITLE + PLOT_HEIGHT + 16, f"{s.count:,}", "middle"))
    for i, (server, curve) in enumerate(curves.items()):
        places = [at(count, value) for count, value in curve if value is not None]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        dash = " stroke-dasharray='5 3'" if server == "limit-epoll" else ""
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour(server)}' stroke-width='2'{dash}/>")
        parts += [f"<circle cx='{px:.1f}' cy='{py:.1f}' r='3' fill='{colour(server)}'/>" for px, py in places]
        key, line_y = x + LEFT + i * 100, y + TITLE + PLOT_HEIGHT + 48
        parts.append(f"<path d='M{key} {line_y - 4}h16' stroke='{colour(server)}' stroke-width='2'{dash}/>")
        parts.append(text(key + 20, line_y, server))
    parts.append(text(x + LEFT + PLOT_WIDTH / 2, y + TITLE + PLOT_HEIGHT + 32, GROWTH_OVER[family], "middle"))
    return "\n".join(parts)


def nice(step):
    """The next larger of 1, 2 and 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(step))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= step)
