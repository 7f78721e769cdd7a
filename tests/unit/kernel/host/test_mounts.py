"""Where kernel file systems are mounted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.mounts import find_cgroup2, find_mounts, parse_mounts

HYBRID = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755
38 31 0:35 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


@pytest.fixture
def mountinfo(tmp_path: Path) -> Path:
    """A file with the mounts of a machine that has cgroup v1 and v2."""
    path = tmp_path / "mountinfo"
    path.write_text(HYBRID)
    return path


def add(mountinfo: Path, line: str) -> None:
    """Mounts one more."""
    with mountinfo.open("a") as file:
        file.write(line + "\n")


def test_cgroup2_is_found_where_it_is(mountinfo: Path) -> None:
    """The path is read, not assumed."""
    assert find_cgroup2(mountinfo) == Path("/sys/fs/cgroup/unified")


def test_nothing_is_found_where_nothing_is(mountinfo: Path) -> None:
    """A file system that is not mounted has no place."""
    assert find_mounts("tracefs", mountinfo) == []


def test_whole_file_system_comes_before_a_part(tmp_path: Path) -> None:
    """The container's own cgroup, mounted first, is not the root."""
    path = tmp_path / "mountinfo"
    path.write_text(
        "5 1 0:9 /docker/1 /part rw - cgroup2 cgroup rw\n6 1 0:9 / /whole rw - cgroup2 cgroup rw\n"
    )
    assert find_mounts("cgroup2", path) == [Path("/whole"), Path("/part")]


@pytest.mark.parametrize(
    "cover",
    [
        "50 41 0:50 / /sys/fs/cgroup/unified rw - tmpfs t rw",
        "50 31 0:50 / /sys/fs/cgroup rw - tmpfs t rw",
        "50 23 0:50 / /sys/fs rw - tmpfs t rw",
        "50 23 0:50 / /sys rw - tmpfs t rw",
    ],
    ids=["on it", "on its parent", "on a directory above", "on a mount above"],
)
def test_what_is_mounted_over_can_not_be_reached(mountinfo: Path, cover: str) -> None:
    """The path now leads to something else."""
    add(mountinfo, cover)
    assert find_cgroup2(mountinfo) is None


def test_what_is_mounted_over_again_can_be_reached(mountinfo: Path) -> None:
    """The same file system on top of the cover is there."""
    add(mountinfo, "50 23 0:50 / /sys rw - sysfs s rw")
    add(mountinfo, "51 50 0:38 / /sys/fs/cgroup rw - cgroup2 c rw")
    assert find_cgroup2(mountinfo) == Path("/sys/fs/cgroup")


@pytest.mark.parametrize("parent", [1, 99])
def test_root_hides_nothing(mountinfo: Path, parent: int) -> None:
    """A second mount of / is a container's beginning, not a cover."""
    add(mountinfo, f"99 {parent} 0:60 / / rw - overlay o rw")
    assert find_cgroup2(mountinfo) == Path("/sys/fs/cgroup/unified")


def test_escapes_are_undone(mountinfo: Path) -> None:
    """Blank, tab, newline and backslash are written in octal."""
    add(mountinfo, r"60 27 0:60 / /a\040b\011c\012d\134040 rw - tracefs t rw")
    assert find_mounts("tracefs", mountinfo) == [Path("/a b\tc\nd\\040")]


def test_own_mounts_have_a_proc() -> None:
    """The real file is of that format."""
    assert Path("/proc") in find_mounts("proc")


number = st.integers(0, 9).map(str)
point = st.lists(st.sampled_from(["a", "b", ""]), max_size=3).map(lambda p: "/" + "/".join(p))
line = st.tuples(number, number, point, st.sampled_from(["cgroup2", "tmpfs"])).map(
    lambda f: f"{f[0]} {f[1]} 0:1 / {f[2]} rw - {f[3]} none rw"
)


@given(st.lists(line, max_size=12))
def test_any_tree_ends(lines: list[str]) -> None:
    """Parents that go round in circles do not."""
    assert len(parse_mounts("\n".join(lines))) <= len(lines)


@given(st.text())
def test_any_text_is_skipped(text: str) -> None:
    """What is no mount is none."""
    assert len(parse_mounts(text)) <= text.count("\n") + 1
