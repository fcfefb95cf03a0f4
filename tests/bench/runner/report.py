"""The results as Markdown: goals, a table for each scenario, and the short table of the guide."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass

from .failed import Failed
from .scenarios import ABOUT, OWN

BEGIN, END = "<!-- bench: written by tests/bench/run --publish -->", "<!-- bench end -->"


@dataclass
class Goal:
    what: str
    result: str
    most: str
    met: bool


def said(command, cwd):
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def facts(root, machine, options):
    """What a reader needs to know to compare these figures with others."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = re.search(r"model name\s*:\s*(.*)", cpuinfo.read())
    revision = said(["git", "rev-parse", "--short=10", "HEAD"], root) or "unknown"
    changed = ", with changes" if said(["git", "status", "--porcelain"], root) else ""
    return {
        "date": f"{datetime.date.today()}",
        "machine": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "pinned": f"server on core {machine.server}, load generator on core {machine.load}"
        if machine.server is not None
        else "NOT PINNED",
        "rustc": said(["rustc", "--version"], root),
        "wshub": revision + changed,
        "rounds": options.rounds,
        "load_average": round(os.getloadavg()[2], 1),
    }


# ---- goals


def goals(results, costs, options):
    """Every goal of the scenarios that ran. The figures of --quick are no figures: they meet and miss none."""
    if options.quick:
        return []
    found = []
    for scenario in results.scenarios:
        for server, other, most in scenario.goals:
            if server not in scenario.servers or other not in scenario.servers:
                continue
            ratio = results.ratio(scenario, server, other)
            result = "no result" if ratio is None else times(*ratio)
            met = ratio is not None and ratio[0] <= most
            found.append(Goal(f"{scenario.title}: {server} / {other}", result, f"{most:.3g}", met))
        found += ABSOLUTE.get(scenario.family, lambda *_: [])(results, scenario)
    return found + (build_goals(costs) if costs else [])


def times(median, least, greatest):
    return f"{median:.3g} ({least:.3g} to {greatest:.3g})"


def idle_goals(results, scenario):
    found = []
    for server in (name for name in scenario.servers if name.startswith("wshub")):
        most = IDLE_KIB[server][scenario.tls]
        for figure, when in (("rss_per_connection", ""), ("rss_per_connection_used", ", after an echo each")):
            value = results.median(scenario, server, figure)
            if value is not None:
                kib = value / 1024
                found.append(Goal(f"{scenario.title}: {server}{when}", f"{kib:.2f} KiB each", f"{most} KiB", kib <= most))
        cpu = results.median(scenario, server, "idle_cpu_s")
        if cpu is not None:
            found.append(Goal(f"{scenario.title}: {server}, CPU meanwhile", f"{cpu:.2f} s", "0 s", cpu == 0))
        threads = results.median(scenario, server, "threads")
        if threads is not None and server == "wshub":
            found.append(Goal(f"{scenario.title}: {server}, threads", f"{threads:.0f}", "9", threads <= 9))
    return found


# Plain and over TLS. Without a thread: 1 KiB and the request head, which has 160 bytes here.
IDLE_KIB = {"wshub": (1.16, 10), "wshub-own": (12, 48)}


def stalled_goals(results, scenario):
    got = {figure: results.median(scenario, "wshub", figure) for figure in ("kept", "given_up", "given_up_s", "stalled")}
    grown = results.median(scenario, "wshub", "rss_grown")
    if got["kept"] is None:
        return []
    name = f"{scenario.title}: wshub"
    # The bound of what waits for one peer (2 MiB by default), and something for the allocator.
    most = 2 * got["stalled"] + 4
    # The time that a frame may wait is 10 s; before that the kernel takes what it can hold.
    gone = f"{got['given_up']:.0f} of {got['stalled']:.0f}" + (f" in {got['given_up_s']:.1f} s" if got["given_up"] else "")
    in_time = got["given_up"] == got["stalled"] and got["given_up_s"] <= 11
    return [
        Goal(f"{name}, rate kept", f"{100 * got['kept']:.1f} %", "at least 99 %", got["kept"] >= 0.99),
        Goal(f"{name}, given up", gone, "all in 10 s (and one to fill the kernel's buffers)", in_time),
        Goal(f"{name}, memory grown", f"{grown / 2**20:.1f} MiB", f"{most:.0f} MiB", grown <= most * 2**20),
    ]


ABSOLUTE = {"idle": idle_goals, "tls-idle": idle_goals, "stalled": stalled_goals}


def build_goals(costs):
    ours, theirs = costs["wshub"], costs["tungstenite"]
    ratio = ours["cpu_s"] / theirs["cpu_s"]
    return [
        Goal("Build: CPU time of the echo server, wshub / tungstenite", f"{ratio:.2f}", "0.6", ratio <= 0.6),
        Goal("Build: lines of `cargo tree`", f"{ours['tree_lines']}", "15", ours["tree_lines"] <= 15),
        Goal("Build: stripped echo server", f"{ours['kb']:.0f} KB", "550 KB", ours["kb"] <= 550),
    ]


# ---- tables


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def goal_table(found):
    rows = [[goal.what, goal.result, goal.most, "PASS" if goal.met else "FAIL"] for goal in found]
    return table(["goal", "result", "at most", ""], rows) if rows else "no goals"


def number(value, scale=1):
    return "-" if value is None else f"{value * scale:.3g}" if value * scale < 1000 else f"{value * scale:,.0f}"


# Behind the figure that counts: what else is worth a column.
COLUMNS = {
    "per_second": ("a second", 1),
    "p50_us": ("p50 µs", 1),
    "p99_us": ("p99 µs", 1),
    "rss_per_connection_used": ("KiB after an echo", 1 / 1024),
    "threads": ("threads", 1),
    "rss_grown": ("MiB grown", 2**-20),
    "given_up": ("given up", 1),
    "given_up_s": ("after s", 1),
}


def scenario_table(results, scenario):
    def has(figure):
        return any(results.median(scenario, server, figure) is not None for server in scenario.servers)

    columns = [figure for figure in COLUMNS if has(figure) and figure != scenario.figure]
    limits = [limit for limit in scenario.limits if limit in scenario.servers]
    head = ["server", scenario.unit, "least to most", *(f"/ {limit}" for limit in limits)]
    rows = []
    for server in scenario.servers:
        name = f"{server} ({ABOUT[server]})" if scenario.kind == "echo" or server != "wshub" else server
        error = results.error(scenario, server)
        value = results.median(scenario, server)
        if value is None:
            rows.append([name, f"failed: {escaped(error)}"] + [""] * (len(head) - 2 + len(columns)))
            continue
        spread = [v for v in results.values(scenario, server, scenario.figure) if v is not None]
        ratios = [results.ratio(scenario, server, limit) for limit in limits]
        row = [name + (" (failed in some rounds)" if error else ""), number(value, scenario.scale)]
        row.append(f"{number(min(spread), scenario.scale)} to {number(max(spread), scenario.scale)}")
        row += [number(ratio[0]) if ratio else "-" for ratio in ratios]
        row += [number(results.median(scenario, server, f), COLUMNS[f][1]) for f in columns]
        rows.append(row)
    return table([*head, *(COLUMNS[f][0] for f in columns)], rows)


def escaped(text):
    return (text or "").splitlines()[0].replace("|", "\\|")[:120] if text else ""


def growth_tables(results):
    """One table a family: a row for each count."""
    parts = []
    for family, what in GROWTH.items():
        scenarios = [s for s in results.scenarios if s.family == family]
        if not scenarios:
            continue
        servers = scenarios[0].servers
        rows = [[f"{s.count:,}", *(number(results.median(s, server)) for server in servers)] for s in scenarios]
        parts.append(f"### {what}\n\n{table([GROWTH_OVER[family], *servers], rows)}")
    return parts


GROWTH = {
    "growth-echo": "µs of CPU per echo of 20 B, 1 under way",
    "growth-broadcast": "µs of CPU per delivery of 64 B, 1 under way",
    "growth-queued": "µs of CPU per delivery of 64 B, queued",
}
GROWTH_OVER = {"growth-echo": "connections", "growth-broadcast": "subscribers", "growth-queued": "subscribers"}


def page(results, costs, found, facts):
    parts = [
        "# Benchmark",
        f"Written by `tests/bench/run` ({facts['date']}, wshub {facts['wshub']}, {facts['rustc']}): {facts['machine']}; "
        f"{facts['pinned']}; {facts['rounds']} interleaved rounds, the median counts; load average before the end "
        f"{facts['load_average']}. `tests/bench/run --help` says what is measured and how.",
    ]
    if found:
        parts += ["## Goals", "Ratios: median (least to most of the rounds).", goal_table(found)]
    shown = [s for s in results.scenarios if s.family not in GROWTH]
    if shown:
        parts += ["## Results", "![Every scenario](results.svg)"]
    for scenario in shown:
        parts += [f"### {scenario.title}", scenario_table(results, scenario)]
    if any(s.family in GROWTH for s in results.scenarios):
        parts += ["## Growth", "![Cost over connections and subscribers](growth.svg)", *growth_tables(results)]
    if costs:
        rows = [[name, f"{c['cpu_s']:.1f}", str(c["tree_lines"]), f"{c['kb']:.0f}"] for name, c in costs.items()]
        head = ["clean release build of an echo server", "CPU s", "`cargo tree` lines", "stripped KB"]
        parts += ["## Build", table(head, rows)]
    skipped = [f"- {scenario.title}: not run: {reason}" for scenario, reason in results.skipped]
    return "\n\n".join([*parts, *(["\n".join(skipped)] if skipped else [])]) + "\n"


def write(folder, text, pictures):
    (folder / "results.md").write_text(text)
    for name, picture in pictures.items():
        if picture:
            (folder / name).write_text(picture)


# ---- the guide and the README

GUIDE = ("echo", "queued-echo", "broadcast", "queued-broadcast", "handshakes", "idle")
README = ("echo", "queued-broadcast", "handshakes", "idle")


def short_table(results, families):
    """A row for each server, a column for each of the scenarios that say most."""
    columns = []
    for family in families:
        # Of several counts the largest that others than wshub were asked for.
        of_family = [s for s in results.scenarios if s.family == family]
        columns += sorted(of_family, key=lambda s: (len(s.servers), s.connections))[-1:]
    servers = [name for name in ABOUT if any(name in s.servers for s in columns)]
    rows = []
    for server in servers:
        row = [f"**{server}**" if server in OWN and server.startswith("wshub") else server]
        for scenario in columns:
            value = results.median(scenario, server) if server in scenario.servers else None
            limit = scenario.limits[0] if scenario.figure == "cpu_us" and scenario.limits else None
            ratio = results.ratio(scenario, server, limit) if limit and value is not None else None
            row.append(number(value, scenario.scale) + (f" ({ratio[0]:.2f})" if ratio else ""))
        rows.append(row)
    return table(["", *(f"{s.title}, {s.unit}" for s in columns)], rows)


def publish(root, results, facts):
    """Writes the tables of the guide and of the README."""
    pinned = "pinned to one core" if not facts["pinned"].startswith("NOT") else "not pinned"
    about = (
        f"The server's CPU time per message or delivery, {pinned}; in parentheses the median of the rounds' ratios to what sockets and threads\n"
        "allow: raw bytes on one thread over epoll (`limit-epoll`), for broadcasts from one thread to all\n"
        f"(`limit-fan`). {facts['date']}, {facts['machine']}."
    )
    replace(root / "src/guide/speed.md", [about, short_table(results, GUIDE)])
    replace(root / "README.md", [about, short_table(results, README)])


def replace(file, parts):
    """Puts the parts between the file's markers."""
    text = file.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Failed(f"{file} needs the lines {BEGIN} and {END}, once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    file.write_text("\n\n".join([before + BEGIN, *parts, END + after]))
