"""Archives on a server that speaks S3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakear.train.archive.store import store
from leakear.train.cli import main
from tests.support.archives import make_archive

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install 'leakear[cluster]'")
server = pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    found = boto3.resource("s3", endpoint_url=address).create_bucket(Bucket="archive")
    yield found
    running.stop()


def test_a_bucket_gives_the_scores_of_the_folder(bucket: Any, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 8)
    (archive / "site-0" / "bad.wav").write_bytes(b"no sound")
    for path in archive.rglob("*.wav"):
        bucket.upload_file(str(path), f"2026/{path.relative_to(archive)}")
    words = ["--shard", "3", "--jobs", "1", "--out"]
    assert main(["score", str(archive), *words, str(tmp_path / "folder")]) == 0
    assert main(["score", "s3://archive/2026", *words, str(tmp_path / "bucket")]) == 0
    assert pq.read_table(tmp_path / "folder").equals(pq.read_table(tmp_path / "bucket"))
    assert not list(Path(tmp_path / "bucket").glob(".*"))


def test_an_object_that_is_gone_is_a_row_with_the_reason(bucket: Any, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 3)
    for path in archive.rglob("*.wav"):
        bucket.upload_file(str(path), f"{path.relative_to(archive)}")
    listed = store("s3://archive")
    names = [name for name, _ in listed.files()]
    bucket.Object(names[1]).delete()
    with pytest.raises(Exception, match="cannot be fetched"), listed.recording(names[1]):
        pass


def test_a_bucket_that_is_not_there_is_one_sentence(
    bucket: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "s3://absent/x", "--out", str(tmp_path / "out"), "--jobs", "1"]) == 65
    assert "s3://absent/x" in capsys.readouterr().err
