"""Runs the scenarios: interleaved rounds, one server and one load generator at a time."""

import json
import re
import select
import statistics
import subprocess
import time

from . import build, child
from .failed import Failed
from .scenarios import SERVERS

# Of one run, however slow the machine: the load generator gives up long before, after 10 s without progress.
TIMEOUT = 120
# A server that failed so often in a scenario gets no more turns there.
FAILURES = 2


class Results:
    """What each server gave in each round of each scenario: its figures, or an error as text."""

    def __init__(self):
        self.scenarios = []
        self.skipped = []
        self.of = {}

    def add(self, scenario, server, outcome):
        self.of.setdefault(id(scenario), {}).setdefault(server, []).append(outcome)

    def rounds(self, scenario, server):
        return self.of.get(id(scenario), {}).get(server, [])

    def values(self, scenario, server, figure):
        """In the order of the rounds; None where one failed or does not have it."""
        return [r.get(figure) if isinstance(r, dict) else None for r in self.rounds(scenario, server)]

    def median(self, scenario, server, figure=None):
        values = [v for v in self.values(scenario, server, figure or scenario.figure) if v is not None]
        return statistics.median(values) if values else None

    def ratio(self, scenario, server, other):
        """The median of the rounds' ratios, with their least and greatest; None without such."""
        pairs = zip(self.values(scenario, server, scenario.figure), self.values(scenario, other, scenario.figure))
        ratios = [one / two for one, two in pairs if one is not None and two]
        return (statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def error(self, scenario, server):
        return next((r for r in self.rounds(scenario, server) if isinstance(r, str)), None)

    def failures(self):
        """A peer may fail, and its row says so; wshub and the limits may not."""
        lines = [f"{scenario.title}: {reason}" for scenario, reason in self.skipped]
        for scenario in self.scenarios:
            for server in scenario.servers:
                error = self.error(scenario, server)
                if error and server.startswith(("wshub", "limit")):
                    lines.append(f"{scenario.title}: {server}: {error}")
        return lines

    def raw(self):
        return {f"{s.family}: {s.title}": self.of.get(id(s), {}) for s in self.scenarios}


class Progress:
    """One line a round: how far, how long yet, what came out."""

    def __init__(self, plan):
        self.total = sum(s.seconds * s.rounds * len(s.servers) for s in plan)
        self.done, self.begin = 0.0, time.monotonic()

    def line(self, scenario, turn, text):
        took = time.monotonic() - self.begin
        # At first the plan is all there is to go by.
        pace = took / self.done if self.done > 5 else 1
        left = pace * max(0, self.total - self.done)
        share = int(100 * self.done / self.total)
        print(f"[{share:3} %, {left / 60:4.1f} min left] {scenario.title}, round {turn + 1} of {scenario.rounds}: {text}")


def run(plan, target, machine, options):
    results = Results()
    for scenario in plan:
        if scenario.connections + 64 > machine.descriptors:
            reason = f"needs {scenario.connections + 64} descriptors, `ulimit -Hn` is {machine.descriptors}"
            results.skipped.append((scenario, reason))
        else:
            results.scenarios.append(scenario)
    progress = Progress(results.scenarios)
    for scenario in results.scenarios:
        names = scenario.servers
        for turn in range(scenario.rounds):
            shown = []
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                failed = sum(isinstance(r, str) for r in results.rounds(scenario, name))
                outcome = one(scenario, name, target, machine) if failed < FAILURES else "not tried again"
                results.add(scenario, name, outcome)
                progress.done += scenario.seconds
                value = outcome.get(scenario.figure) if isinstance(outcome, dict) else None
                shown.append(f"{name} {value * scenario.scale:.3g}" if value is not None else f"{name} failed")
            progress.line(scenario, turn, ", ".join(shown))
    return results


def one(scenario, name, target, machine):
    """One run: its figures, or what went wrong as text."""
    program, *arguments = SERVERS[name][scenario.kind]
    certificate, key = build.certificate_files(target)
    if scenario.tls:
        arguments += [certificate, key]
    with open(target / "server.log", "w+b") as log:
        server = child.start(
            [target / "release" / program, *arguments], machine.server, stdout=subprocess.PIPE, stderr=log
        )
        try:
            port = listening(server)
            raw = ["--raw"] if name.startswith("limit") else []
            load = [target / "release" / "load", *scenario.load, "--port", port, "--pid", server.pid, *raw]
            if scenario.tls:
                load += ["--tls", certificate]
            got = figures(child.start(load, machine.load, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            if scenario.figure not in got:
                raise Failed(f"the load generator gave no {scenario.figure}")
            return got
        except Failed as error:
            return f"{error}{last_line(log)}"
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


def listening(server):
    ready, _, _ = select.select([server.stdout], [], [], TIMEOUT)
    line = server.stdout.readline().decode() if ready else ""
    found = re.fullmatch(r"listening on ws://.*:(\d+)/\n", line)
    if not found:
        raise Failed("the server does not listen")
    return found.group(1)


def figures(load):
    try:
        out, err = load.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end within {TIMEOUT} s") from None
    finally:
        load.kill()
        load.wait()
    if load.returncode:
        raise Failed(err.decode(errors="replace").strip() or f"load generator: exit status {load.returncode}")
    return json.loads(out)


def last_line(log):
    log.seek(0)
    lines = log.read()[-2000:].decode(errors="replace").strip().splitlines()
    return f" (server: {lines[-1][:120]})" if lines else ""
