"""Checks of a judge, each told in a line: what `checked` in tests/interop/support.sh reads.

Each part gets a copy of this file beside its own programs."""
import sys

failures = []


def check(name, step):
    try:
        step()
        print("ok  ", name, flush=True)
    except Exception as error:
        failures.append(name)
        print(f"FAIL {name}: {type(error).__name__}: {error}"[:1000], flush=True)


def exit_status():
    return int(bool(failures))


def same(seen, wanted):
    if seen != wanted:
        raise AssertionError(f"{short(seen)} instead of {short(wanted)}")


def short(value):
    return f"{len(value)} bytes" if isinstance(value, bytes) and len(value) > 100 else repr(value)
