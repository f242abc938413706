"""What Linux says of mounts and inotify, where it says it otherwise than here."""

from __future__ import annotations

import os
from pathlib import Path

from dynaconf_k8s_reload._source.mount_table import MountEntry, mount_table, sub_paths
from dynaconf_k8s_reload.cli.doctor.linux import file_system, inotify, inotify_error
from dynaconf_k8s_reload.cli.doctor.mounts import check_system
from inotify import Inotify

POD = "/var/lib/kubelet/pods/1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def test_mount_table(tmp_path: Path) -> None:
    """A line may have optional fields, and names with blanks; without /proc there is none."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
        "37 35 98:1 / /config rw - tmpfs tmpfs rw\n"
    )
    assert mount_table(str(table)) == [
        MountEntry("/mnt1", "/mnt 2", "ext3"),
        MountEntry("/", "/config", "tmpfs"),
    ]
    assert mount_table(str(tmp_path / "absent")) == []


def test_sub_paths_as_kubernetes_mounts_them(tmp_path: Path) -> None:
    """The roots that mountinfo shows in pods: a whole volume, and what subPath led to."""
    path = str(tmp_path)
    volume = f"{POD}/volumes/kubernetes.io~configmap/config"
    for root, expected in [
        (volume, []),
        (f"{volume}/..2026_11_23_05_26_04.1759292720/sub", [path]),
        (f"{POD}/volume-subpaths/config/app/0", [path]),
    ]:
        assert sub_paths(path, [MountEntry(root, path, "ext4")]) == expected
    (tmp_path / "KEY").touch()
    (tmp_path / "directory").mkdir()
    table = [MountEntry("/x", f"{path}/{name}", "ext4") for name in ("KEY", "directory")]
    assert sub_paths(path, table) == [f"{path}/KEY"]


def test_inotify_is_counted(tmp_path: Path) -> None:
    """An instance and its watch are counted while they are there."""
    before = inotify()
    assert before
    with Inotify(tmp_path):
        during = inotify()
        assert during
        assert during.instances >= 1
        assert during.watches >= 1
    assert during.max_instances > 0
    assert during.max_watches > 0


def test_without_inotify(tmp_path: Path) -> None:
    """Where the kernel names no limits, nothing is counted, and nothing found."""
    assert inotify(str(tmp_path)) is None
    assert list(check_system(None, 0, "")) == []


def test_an_absent_directory(tmp_path: Path) -> None:
    """What is not there has no file system, and cannot be watched."""
    absent = str(tmp_path / "absent")
    assert file_system(absent) == ""
    assert os.strerror(inotify_error(absent)) == "No such file or directory"
    assert inotify_error(str(tmp_path)) == 0
