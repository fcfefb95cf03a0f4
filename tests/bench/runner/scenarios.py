"""What is measured: the servers, the scenarios, and the goals of each."""

import argparse
from dataclasses import dataclass, field

# A server answers echoes, broadcasts, or both: name -> kind -> command in target/bench/release.
SERVERS = {
    "limit-epoll": {"echo": ["limits", "epoll"], "busy": ["limits", "epoll", "200"]},
    "limit-thread": {"echo": ["limits", "thread"]},
    "limit-fan": {"broadcast": ["limits", "fan"]},
    "wshub": {
        "echo": ["wshub-echo"],
        "busy": ["wshub-busy", "200"],
        "broadcast": ["wshub-broadcast"],
        "deflate": ["wshub-deflate"],
    },
    "wshub-own": {"echo": ["wshub-echo-own"], "deflate": ["wshub-deflate-own"]},
    "tungstenite": {"echo": ["tungstenite-echo"], "broadcast": ["tungstenite-broadcast"]},
    "tokio-tungstenite": {"echo": ["tokio-tungstenite-echo"], "broadcast": ["tokio-tungstenite-broadcast"]},
    "fastwebsockets": {"echo": ["fastwebsockets-echo"], "broadcast": ["fastwebsockets-broadcast"]},
    "simple-websockets": {"echo": ["simple-websockets-echo"], "broadcast": ["simple-websockets-broadcast"]},
    "ws-rs": {"echo": ["ws-rs-echo"], "broadcast": ["ws-rs-broadcast"]},
    "npm-ws": {"deflate": ["../npm-ws/deflate.mjs"]},
}
OWN = [name for name in SERVERS if name.startswith(("limit", "wshub"))]
ABOUT = {
    "limit-epoll": "raw bytes, one thread for all",
    "limit-thread": "raw bytes, a blocking thread per connection",
    "limit-fan": "raw bytes, one thread writes to all",
    "wshub": "through the application thread",
    "wshub-own": "on the connection's own thread",
    "tungstenite": "a thread per connection",
    "tokio-tungstenite": "tokio",
    "fastwebsockets": "tokio and hyper",
    "simple-websockets": "tokio inside",
    "ws-rs": "an event loop (mio)",
    "npm-ws": "Node.js",
}
FAMILIES = [
    "echo", "queued-echo", "one-echo", "long-echo", "beside-idle", "busy", "tls", "broadcast", "queued-broadcast", "burst",
    "handshakes", "idle", "stalled", "mixed", "deflate", "growth", "build",
]  # fmt: skip
# Those whose echo speaks TLS, when given a certificate and its key: rustls with ring.
TLS = ["wshub", "wshub-own", "tokio-tungstenite"]
# Those that hold no thread per connection: with more than a thousand connections the others are not asked.
MANY = ["limit-epoll", "wshub", "fastwebsockets"]
MISSING = object()


@dataclass
class Scenario:
    family: str
    title: str
    kind: str
    load: list
    """Arguments of the load generator."""
    servers: list
    seconds: float
    """About how long one run takes."""
    rounds: int
    connections: int
    limits: tuple = ("limit-epoll", "limit-thread")
    """What the figures are shown as ratios to: the first is that of one thread for all, as in wshub's event form."""
    figure: str = "cpu_us"
    """The figure that counts, and the unit it is shown in."""
    unit: str = "µs of CPU per echo"
    scale: float = 1
    count: int = 0
    """For the growth pictures: connections or subscribers."""
    size: int = 0
    tls: bool = False
    goals: list = field(default_factory=list)
    """(server, other server, the largest ratio of their figures)"""


def positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return parse


def list_of(kind):
    def parse(text):
        try:
            return [kind(item) for item in text.split(",")]
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"cannot read {text}: {error}") from None

    return parse


def size(text):
    """Bytes: 20, 64K, 1M."""
    unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
    return positive(int)(text if unit == 1 else text[:-1]) * unit


def count_and_size(text):
    count, _, bytes_ = text.partition("x")
    return positive(int)(count), size(bytes_)


def complete(options):
    """Fills in what was not given: small with --quick."""
    small = options.quick
    options.scenarios = options.scenarios or [name for name in FAMILIES if not (small and name == "build")]
    options.servers = options.servers or (OWN if small else list(SERVERS))
    defaults = {
        "echo": [(16, 20)] if small else [(64, 20)],
        "broadcast": [(20, 64)] if small else [(100, 64), (300, 150), (1000, 64)],
        "burst": [64 << 10, 1 << 20],
        "idle": [50] if small else [1000, 10_000, 19_000],
        "beside": [50] if small else [1000, 10_000],
        "mixed": [50] if small else [1000],
        "growth": [10, 50] if small else [10, 100, 1000, 5000],
    }
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if small:
        options.rounds, options.seconds = 1, 0.1
        options.handshakes, options.stalled = 100, 2


def bytes_text(n):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if n >= unit and n % unit == 0:
            return f"{n // unit} {name}"
    return f"{n} B"


def plan(options):
    """The scenarios that were asked for, in order."""
    chosen = []
    for family in options.scenarios:
        if family in PLANS:
            chosen += PLANS[family](options)
    for scenario in chosen:
        scenario.servers = [name for name in scenario.servers if name in options.servers]
    return [scenario for scenario in chosen if scenario.servers]


def serving(kind):
    return [name for name, kinds in SERVERS.items() if kind in kinds]


def warmup(options):
    return min(0.2, options.seconds / 2)


def echo(options, family, connections, bytes_, depth, goals, **more):
    under_way = "1 under way" if depth == 1 else f"{depth} under way"
    them = "1 connection" if connections == 1 else f"{connections:,} connections"
    load = ["echo", "--connections", connections, "--size", bytes_, "--depth", depth]
    return Scenario(
        family=family,
        title=f"Echo, {them}, {bytes_text(bytes_)}, {under_way}",
        kind="echo",
        load=[*load, "--seconds", options.seconds, "--warmup", warmup(options)],
        seconds=options.seconds + warmup(options) + 0.1 + connections * 0.0003,
        connections=connections,
        size=bytes_,
        goals=goals,
        **{"servers": serving("echo"), "rounds": options.rounds, **more},
    )


def echoes(options):
    goals = [("wshub", "limit-epoll", 1.08), ("wshub-own", "limit-thread", 1.05), ("wshub-own", "tungstenite", 0.85)]
    return [echo(options, "echo", n, b, 1, goals) for n, b in options.echo]


def queued_echoes(options):
    own = [("wshub-own", peer, 1 / 6) for peer in ("tungstenite", "tokio-tungstenite", "fastwebsockets")]
    app = [("wshub", "limit-epoll", 1.18), ("wshub", "tungstenite", 1 / 4)]
    goals = [("wshub-own", "limit-thread", 1.10), *own, *app]
    return [echo(options, "queued-echo", n, b, options.under_way, goals) for n, b in options.echo]


def one_echo(options):
    goals = [("wshub", "limit-epoll", 0.90)]
    return [echo(options, "one-echo", 1, b, 1, goals) for b in sorted({b for _, b in options.echo})]


def long_echo(options):
    goals = [("wshub", "limit-epoll", 1.15)]
    return [echo(options, "long-echo", options.echo[0][0], 16 << 10, 1, goals)]


def beside_idle(options):
    n, bytes_ = options.echo[0]
    found = []
    for idle in options.beside:
        for depth, most in ((1, 1.08), (options.under_way, 1.18)):
            goals = [("wshub", "limit-epoll", most)]
            scenario = echo(options, "beside-idle", n, bytes_, depth, goals, servers=MANY)
            scenario.title += f", beside {idle:,} idle"
            scenario.load += ["--idle", idle]
            scenario.seconds += idle * 0.0003
            scenario.connections += idle
            found.append(scenario)
    return found


def busy(options):
    """Every message keeps the application for 200 µs: what comes meanwhile waits for it."""
    goals = [("wshub", "limit-epoll", 1.05)]
    scenario = echo(options, "busy", 16, options.echo[0][1], 1, goals, servers=serving("busy"))
    scenario.title += ", the application busy for 200 µs each"
    scenario.kind = "busy"
    return [scenario]


def tls(options):
    """TLS 1.3 with AES-256-GCM on all of them: what a client of rustls asks for first."""
    n, small = options.echo[0]
    shapes = [(n, small, 1), (n, small, options.under_way), (1, 64 << 10, 1), (min(n, 16), 64 << 10, 1)]
    # Not slower; two runs of one server differ by so much.
    goals = [("wshub-own", "tokio-tungstenite", 1.05)]
    queued = [*goals, ("wshub", "tokio-tungstenite", 1.05)]
    echoes = [
        echo(options, "tls", connections, bytes_, depth, queued if depth > 1 else goals, tls=True)
        for connections, bytes_, depth in shapes
    ]
    every = [*echoes, idle_of(options, options.idle[0], family="tls-idle", tls=True)]
    for scenario in every:
        scenario.title, scenario.servers, scenario.limits = f"TLS: {scenario.title}", TLS, ("tokio-tungstenite",)
    return every


def broadcast(options, family, subscribers, bytes_, window, goals, **more):
    load = ["broadcast", "--subscribers", subscribers, "--size", bytes_, "--window", window]
    return Scenario(
        family=family,
        title=f"Broadcast to {subscribers:,}, {bytes_text(bytes_)}, {window} under way",
        kind="broadcast",
        load=[*load, "--seconds", options.seconds, "--warmup", warmup(options)],
        seconds=options.seconds + warmup(options) + 0.3 + subscribers * 0.0003,
        connections=subscribers,
        size=bytes_,
        limits=("limit-fan",),
        unit="µs of CPU per delivery",
        goals=goals,
        **{"servers": serving("broadcast"), "rounds": options.rounds, **more},
    )


def broadcasts(options):
    goals = [("wshub", "limit-fan", 1.05)]
    return [broadcast(options, "broadcast", n, b, 1, goals) for n, b in options.broadcast]


def queued_broadcasts(options):
    peers = [("wshub", peer, 1 / 10) for peer in ("tungstenite", "tokio-tungstenite", "fastwebsockets")]
    goals = [("wshub", "limit-fan", 1.00), *peers]
    return [broadcast(options, "queued-broadcast", n, b, options.under_way, goals) for n, b in options.broadcast]


def bursts(options):
    total = (16 if options.quick else 512) << 20
    return [
        Scenario(
            family="burst",
            title=f"Burst on one connection, {bytes_text(bytes_)}",
            kind="echo",
            load=["burst", "--size", bytes_, "--total", total],
            servers=serving("echo"),
            seconds=1.0,
            rounds=options.rounds,
            connections=1,
            size=bytes_,
            goals=[("wshub", "limit-epoll", epoll), ("wshub-own", "tungstenite", tungstenite)],
        )
        for bytes_ in options.burst
        for epoll, tungstenite in [(1.15, 0.6) if bytes_ <= 64 << 10 else (0.65, 0.9)]
    ]


def handshakes(options):
    return [
        Scenario(
            family="handshakes",
            title="Handshakes, each with one echo and a close",
            kind="echo",
            load=["handshakes", "--total", options.handshakes],
            servers=serving("echo"),
            seconds=options.handshakes * 0.00025 + 0.1,
            rounds=options.rounds,
            connections=64,
            unit="µs of CPU each",
            goals=[("wshub", "limit-epoll", 1.40), ("wshub-own", "tungstenite", 0.65)],
        )
    ]


def idle(options):
    return [idle_of(options, n, family="idle") for n in options.idle]


def idle_of(options, n, **more):
    settle = 0.1 if options.quick else 1.2
    return Scenario(
        title=f"Idle, {n:,} connections",
        kind="echo",
        load=["idle", "--connections", n, "--settle", settle],
        servers=serving("echo") if n <= 1000 else MANY,
        seconds=settle * 2.5 + n * 0.0005 + 0.3,
        # Memory is not noisy.
        rounds=1,
        connections=n,
        limits=(),
        figure="rss_per_connection",
        unit="KiB RSS",
        scale=1 / 1024,
        **more,
    )


def stalled(options):
    subscribers, seconds = (5, 2) if options.quick else (50, 13)
    rate = 200 if options.quick else 1000
    load = ["stalled", "--subscribers", subscribers, "--stalled", options.stalled, "--rate", rate]
    return [
        Scenario(
            family="stalled",
            title=f"{subscribers} subscribers beside {options.stalled} that never read, 4 KiB, {rate:,}/s",
            kind="broadcast",
            load=[*load, "--clean", min(2, seconds), "--seconds", seconds],
            servers=[name for name in serving("broadcast") if name != "limit-fan"],
            seconds=seconds + 3,
            rounds=1,
            connections=subscribers + options.stalled,
            limits=(),
            figure="kept",
            unit="of the rate kept",
        )
    ]


def mixed(options):
    seconds = options.seconds * 2
    return [
        Scenario(
            family="mixed",
            title=f"Latency of one echo while {n:,} others chat, {options.chat_rate:g}/s each",
            kind="echo",
            load=["mixed", "--connections", n, "--rate", options.chat_rate, "--seconds", seconds],
            servers=serving("echo"),
            seconds=seconds + 0.7 + n * 0.0003,
            rounds=min(options.rounds, 3),
            connections=n,
            figure="p99_us",
            unit="µs p99",
            goals=[("wshub-own", "limit-thread", 3), ("wshub", "limit-thread", 3)],
        )
        for n in options.mixed
    ]


def deflate(options):
    # No other peer has it: the Rust ones lack it, or, as ws-rs 0.9.2, abort in the handshake.
    return [
        Scenario(
            family="deflate",
            title=f"Echo, compressed, 16 connections, JSON of {bytes_text(bytes_)}",
            kind="deflate",
            load=["deflate", "--size", bytes_, "--seconds", options.seconds, "--warmup", warmup(options)],
            servers=serving("deflate"),
            seconds=options.seconds + warmup(options) + 0.2,
            rounds=options.rounds,
            connections=16,
            limits=(),
            size=bytes_,
            goals=[],
        )
        for bytes_ in (1 << 10, 16 << 10)
    ]


def growth(options):
    more = {"rounds": min(options.rounds, 3)}
    echoes, broadcasts = [], []
    for n in options.growth:
        at = {**more, "count": n, "servers": ["limit-epoll", "limit-thread", "wshub", "wshub-own"]}
        echoes.append(echo(options, "growth-echo", n, 20, 1, [], **at))
        at = {**more, "count": n, "servers": ["limit-fan", "wshub"]}
        for family, window in (("growth-broadcast", 1), ("growth-queued", options.under_way)):
            broadcasts.append(broadcast(options, family, n, 64, window, [], **at))
    return echoes + broadcasts


PLANS = {
    "echo": echoes,
    "queued-echo": queued_echoes,
    "one-echo": one_echo,
    "long-echo": long_echo,
    "beside-idle": beside_idle,
    "busy": busy,
    "tls": tls,
    "broadcast": broadcasts,
    "queued-broadcast": queued_broadcasts,
    "burst": bursts,
    "handshakes": handshakes,
    "idle": idle,
    "stalled": stalled,
    "mixed": mixed,
    "deflate": deflate,
    "growth": growth,
}
