"""Files are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from leakear.edge import files
from leakear.edge.errors import LeakearError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_has_the_given_mode_or_that_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "a", b"1", mode=0o644)
        files.write(tmp_path / "b", b"1")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (0o644, 0o640)


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    files.write(path, b"new", mode=0o644)
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_the_target_of_a_link_is_replaced_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "a"
    link.symlink_to("far/b")
    files.write(link, b"new")  # a link to nothing yet: its target is made
    files.write(link, b"newer")
    assert link.is_symlink()
    assert (tmp_path / "far" / "b").read_bytes() == b"newer"


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(IsADirectoryError), files.replacing(path) as temporary:  # noqa: PT012
        assert temporary.suffix == ".txt"
        tmp_path.write_bytes(b"not a file")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_is_a_mount_point_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old and longer")
    number = path.stat().st_ino

    def busy(self: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    synced: list[str] = []
    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    files.write(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", number)
    assert str(path) in synced
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_another_error_of_the_move_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="Input/output error"):
        files.write(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_file_and_folder_are_on_the_disk_before_the_write_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    files.write(tmp_path / "a", b"new")
    data, folder = synced
    assert Path(data).name.startswith(".a.")
    assert folder == str(tmp_path)


def test_owner_and_group_are_those_of_the_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, like = tmp_path / "a", tmp_path / "like"
    like.write_bytes(b"")
    like.chmod(0o660)
    asked: list[tuple[int, int]] = []
    found = os.stat_result([*like.stat()[:4], 4321, 8765, *like.stat()[6:10]])
    monkeypatch.setattr(files, "_stat", lambda _: found)
    monkeypatch.setattr(os, "chown", lambda _, owner, group: asked.append((owner, group)))
    files.write(path, b"new", like=like)
    assert asked == [(4321, -1), (-1, 8765)]
    assert mode(path) == 0o660


def test_rights_of_a_group_that_cannot_be_kept_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, like = tmp_path / "a", tmp_path / "like"
    like.write_bytes(b"")
    like.chmod(0o660)

    def forbidden(*_: object) -> None:
        raise PermissionError

    found = os.stat_result([*like.stat()[:4], 4321, 4321, *like.stat()[6:10]])
    monkeypatch.setattr(files, "_stat", lambda _: found)
    monkeypatch.setattr(os, "chown", forbidden)
    files.write(path, b"new", like=like)
    assert mode(path) == 0o600


def test_a_file_in_a_folder_that_refuses_new_files_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "refusal", lambda _: OSError(errno.EACCES, "Permission denied"))
    with pytest.raises(LeakearError, match="cannot be replaced"):
        files.file(path, "--out")


def test_a_mount_point_gets_its_old_content_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def busy(_self: Path, _target: Path) -> None:
        raise OSError(errno.EBUSY, "busy")

    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"ne")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(files.shutil, "copyfile", full)
    with pytest.raises(OSError, match="full"):
        files.write(path, b"newer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = files._sync

    def refuse_folders(path: Path) -> None:
        if path.is_dir():
            raise OSError(errno.EINVAL, "not here")
        sync(path)

    monkeypatch.setattr(files, "_sync", refuse_folders)
    files.write(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_place_for_a_file_is_refused_where_it_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"")
    files.file(tmp_path / "there", "-o")
    files.file(tmp_path / "new", "-o")
    with pytest.raises(LeakearError, match=r"-o .* is a folder: name a file"):
        files.file(tmp_path, "-o")
    with pytest.raises(LeakearError, match="there is no folder"):
        files.file(tmp_path / "missing" / "new", "-o")


def test_a_place_that_refuses_files_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_bytes(b"")
    error = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(files, "refusal", lambda _: error)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(LeakearError, match=r"-o .*there cannot be written: Permission denied"):
        files.file(tmp_path / "there", "-o")
    with pytest.raises(LeakearError, match=r"-o .*new cannot be written: Read-only file system"):
        files.file(tmp_path / "new", "-o")
    with pytest.raises(LeakearError, match=r"--to .* cannot be written: Read-only file system"):
        files.folder(tmp_path, "--to")


def test_a_folder_that_would_be_made_is_tried_at_its_nearest_parent(tmp_path: Path) -> None:
    assert files.refusal(tmp_path / "a" / "b") is None
    files.folder(tmp_path / "a" / "b", "--to")
    assert list(tmp_path.iterdir()) == []
    refused = files.refusal(Path("/proc/nope"))
    assert refused is not None
    assert refused.strerror
