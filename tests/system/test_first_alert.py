"""What `make test-first-alert` reads and compares, without a machine."""

from pathlib import Path

import pytest

from tests.system.first_alert import page, snapshot
from tests.system.first_alert.__main__ import COMMANDS


@pytest.mark.parametrize("name", page.WAYS)
def test_the_page_has_commands_to_an_alert_and_away(name: str) -> None:
    way = page.way(name)
    assert len(way.to_an_alert) <= COMMANDS
    assert any("replay" in line for line in way.to_an_alert), "an alert is made"
    assert any("autoremove --purge" in line for line in way.away)


def test_the_page_names_what_stays_and_not_everything() -> None:
    said = page.stays()
    assert "/var/log/" in said
    ours = [snapshot.Difference("+", path, "") for path in ("/etc/leakear", "/opt/leakear", "/usr/bin/leakear-edge")]
    assert snapshot.unsaid(ours, said) == ours


def test_what_is_new_gone_and_changed_is_found(tmp_path: Path) -> None:
    for name in ("kept", "rights", "text", "gone"):
        (tmp_path / name).write_text("before")
        (tmp_path / name).chmod(0o644)  # whatever the umask is
    before = snapshot.taken(tmp_path)
    (tmp_path / "rights").chmod(0o600)
    (tmp_path / "text").write_text("after")
    (tmp_path / "gone").unlink()
    (tmp_path / "new" / "below").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "link").symlink_to("kept")
    found = [(one.mark, one.path) for one in snapshot.between(before, snapshot.taken(tmp_path))]
    assert found == [("-", "/gone"), ("+", "/link"), ("+", "/new"), ("~", "/rights"), ("~", "/text")], (
        "and nothing of /tmp"
    )


def test_a_pattern_covers_itself_or_all_below() -> None:
    new = [snapshot.Difference("+", path, "") for path in ("/var/log/a/b", "/etc/passwd-", "/etc/leakear")]
    assert [one.path for one in snapshot.unsaid(new, ["/var/log/", "/etc/passwd*"])] == ["/etc/leakear"]
