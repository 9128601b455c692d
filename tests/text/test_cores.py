"""How many cores a process may use, in containers of both kinds and outside."""

import os
from pathlib import Path

import pytest
import torch

from hmltc_kedro.text import cores, device
from hmltc_kedro.text.cores import count_cores, read_quota


def make_groups(folder: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    for name, content in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "self").write_text(membership)
    return folder / "cgroup", folder / "self"


@pytest.mark.parametrize(
    ("files", "membership", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"pod/cpu.max": "400000 100000", "pod/box/cpu.max": "max 100000"}, "0::/pod/box\n", 4.0),
        ({"pod/cpu.max": "100000 100000", "pod/box/cpu.max": "800000 100000"}, "0::/pod/box\n", 1.0),
        (
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "250000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"},
            "4:memory:/other\n3:cpu,cpuacct:/box\n",
            2.5,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu:/docker/abc\n", None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, "3:cpu,cpuacct:/docker/abc\n", 0.5),
        ({"cpu.max": "nonsense"}, "0::/\n", None),
        ({}, "nonsense\n", None),
    ],
)
def test_quota_is_the_least_of_the_groups(
    tmp_path: Path, files: dict[str, str], membership: str, quota: float | None
) -> None:
    assert read_quota(*make_groups(tmp_path, files, membership)) == quota


def test_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert read_quota(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 6), (2.5, 3), (0.2, 1), (64.0, 6)])
def test_cores_are_those_allowed_and_granted(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(cores, "read_quota", lambda *_: quota)
    assert count_cores() == expected


def test_threads_are_bounded_by_cores_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        for threads, cores_here, expected in ((4, 2, 2), (1, 2, 1)):
            torch.set_num_threads(threads)
            monkeypatch.setattr(device, "count_cores", lambda n=cores_here: n)
            device.bound_threads()
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
