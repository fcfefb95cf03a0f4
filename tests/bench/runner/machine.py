"""The two cores that are used, one for servers and one for what loads them, and how many descriptors there are."""

import os
import re
import resource
from pathlib import Path

from .failed import Failed


class Machine:
    def __init__(self, cpus):
        self.server, self.load = cpus or choose_cores()
        allowed = os.sched_getaffinity(0)
        missing = {self.server, self.load} - {None, *allowed}
        if missing:
            raise Failed(f"--cpus: this process may not run on {missing}, only on {sorted(allowed)}")
        self.descriptors = raise_descriptors()
        if self.server is None:
            print("NOT PINNED: there is only one core, for server and load generator; ratios will be less steady")
        else:
            print(f"server pinned to core {self.server}, load generator to core {self.load}")


def choose_cores():
    """Two cores that are not two threads of one, where there are such; None and None where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return None, None
    first, siblings = allowed[0], Path(f"/sys/devices/system/cpu/cpu{allowed[0]}/topology/thread_siblings_list")
    try:
        together = siblings.read_text()
    except OSError:
        together = ""
    # "0,4" or "0-1"
    numbers = [int(n) for n in re.findall(r"\d+", together)]
    shared = set(range(numbers[0], numbers[-1] + 1)) if "-" in together else set(numbers)
    others = [cpu for cpu in allowed[1:] if cpu not in shared]
    return first, (others or allowed[1:])[0]


def raise_descriptors():
    """To what the hard limit allows; a server of N connections needs N and a few, and so does the load generator."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20
