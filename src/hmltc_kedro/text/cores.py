"""How many cores this process may use: a container's quota counts, not the machine it runs on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def count_cores() -> int:
    """Return the cores of this process: those it may run on, at most its quota of processor time, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = read_quota(CGROUPS, MEMBERSHIP)
    return max(1, min(allowed, math.ceil(quota))) if quota is not None else allowed


def read_quota(root: Path, membership: Path) -> float | None:
    """Return the cores' worth of time that the control groups of this process grant, None where there is no bound.

    The groups above count as well; the smallest bound holds.

    Args:
        root: where control groups are mounted: of version 2 itself, of version 1 one folder a controller.
        membership: the file that names the groups of this process, a line `number:controllers:path` each.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # no Linux
        return None
    quotas = []
    for line in lines:
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers == "" or "cpu" in controllers.split(","):
            quotas += [quota for group in _list_groups(root, controllers, path) for quota in _read_bounds(group)]
    return min(quotas, default=None)


def _list_groups(root: Path, controllers: str, path: str) -> Iterator[Path]:
    """Yield the folders of a group and those above it; a container sees its own group as the root."""
    inside = PurePosixPath(path.lstrip("/"))
    for base in [root / controllers, root / "cpu"] if controllers else [root]:
        for part in (inside, *inside.parents):
            yield base / part


def _read_bounds(group: Path) -> Iterator[float]:
    """Yield the quota of a group as cores, if it has one."""
    try:
        if (group / "cpu.max").is_file():  # version 2: `max 100000` or `150000 100000`
            quota, period = (group / "cpu.max").read_text("utf-8").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text("utf-8").strip() for name in ("quota", "period"))
        if quota != "max" and float(quota) > 0 and float(period) > 0:
            yield float(quota) / float(period)
    except (OSError, ValueError):
        return
