"""With a real scheduler and workers in processes of their own."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.errors import ConfigError, LeakearError
from leakear.edge.model.tflite import FACTORY
from leakear.train.cli import main
from leakear.train.nodedays import report, runs
from leakear.train.nodedays.runs import FileModel
from leakear.train.work import cluster as cluster_module
from leakear.train.work.identity import OtherWorkerError
from leakear.train.work.jobs import Scheduler
from leakear.train.work.tasks import ordered, unordered
from tests.support.archives import make_archive
from tests.support.dask_cluster import ROOT, DaskCluster, Job, dask_cluster, doubled, killed

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'leakear[cluster]'")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "archive")


def test_node_days_are_the_same_bytes_on_two_workers(two: DaskCluster, tmp_path: Path) -> None:
    plan = runs.Plan(tmp_path / "one", FileModel(FACTORY), days=2, first_site=1_000_000, step_s=60, hours=0.5)
    one = report.report(runs.run(plan, 1), DecisionRule(), sweep=False)
    days = runs.run(replace(plan, out=tmp_path / "two"), Scheduler(two.address))
    assert report.report(days, DecisionRule(), jobs=Scheduler(two.address)) == one | {
        "det": report.det(days, DecisionRule(), 1)
    }
    assert len(_bytes(tmp_path / "one")) == 2
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_scores_are_the_same_bytes_on_two_workers(
    two: DaskCluster, tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers have another folder: relative names must hold there
    words = ["score", archive.name, "--shard", "5", "--out"]
    assert main([*words, "one", "--jobs", "1"]) == 0
    assert main([*words, "two", "--scheduler", two.address]) == 0
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_each_task_is_done_once_and_results_come_in_order(two: DaskCluster, tmp_path: Path) -> None:
    jobs = [Job(tmp_path, number, 0.01) for number in range(30)]
    assert list(ordered(doubled, jobs, Scheduler(two.address), files=[tmp_path])) == list(range(0, 60, 2))
    assert {len(job.runs()) for job in jobs} == {1}
    assert len({job.runs()[0] for job in jobs}) == 2
    assert not list(tmp_path.glob(".leakear-shared-*"))


def test_a_file_that_changes_under_a_run_is_refused(two: DaskCluster, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"one")
    results = unordered(doubled, (Job(tmp_path, n) for n in range(100)), Scheduler(two.address), files=[model])
    next(results)
    model.write_bytes(b"another")
    with pytest.raises(OtherWorkerError, match=r"has another file .*model\.tflite"):
        list(results)


def test_a_killed_worker_costs_only_what_it_was_doing(tmp_path: Path) -> None:
    with dask_cluster(tmp_path) as cluster:
        jobs = [Job(tmp_path, number, 0.3) for number in range(12)]
        done = dict([next(results := unordered(doubled, jobs, Scheduler(cluster.address)))])
        victim = cluster.processes[1]
        victim.kill()
        done.update(results)
        assert done == {number: 2 * number for number in range(12)}
        again = [job for job in jobs if len(job.runs()) > 1]
        assert all(job.runs()[0] == victim.pid for job in again)


def test_a_task_that_kills_its_workers_is_one_sentence(tmp_path: Path) -> None:
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    wanted = r"several workers died over the same task \(tcp://"
    with dask_cluster(tmp_path, 2, **settings) as cluster, pytest.raises(LeakearError, match=wanted):
        list(unordered(killed, [Job(tmp_path, 0)], Scheduler(cluster.address)))


def test_a_worker_that_does_not_see_a_recording_is_refused(two: DaskCluster, tmp_path: Path) -> None:
    file = tmp_path / "recording.wav"
    file.touch(0o600)
    results = unordered(doubled, (Job(tmp_path, n) for n in range(100)), Scheduler(two.address), files=[file])
    next(results)
    file.unlink()
    with pytest.raises(OtherWorkerError, match=r"cannot read .*recording\.wav: put it on a file system"):
        list(results)


def test_without_dask_the_sentence_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'leakear\[cluster\]'"):
        list(unordered(doubled, [Job(tmp_path, 0)], Scheduler("tcp://127.0.0.1:1")))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["score", str(tmp_path), "--out", str(tmp_path / "out")]) == 78
    assert "score needs pyarrow" in capsys.readouterr().err


def test_a_killed_scheduler_is_one_sentence_and_the_next_run_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], archive: Path
) -> None:
    words = ["score", str(archive), "--shard", "1", "--out"]
    with dask_cluster(tmp_path) as cluster:
        there = [*words, str(tmp_path / "there"), "--scheduler", cluster.address]
        killer = Thread(target=_kill_after, args=(cluster, tmp_path / "there"))
        killer.start()
        assert main(there) == 1
        killer.join()
        assert f"the Dask scheduler {cluster.address} was lost: start it again" in capsys.readouterr().err
        kept = {path: path.stat().st_ino for path in (tmp_path / "there").glob("part-*")}
        assert 0 < len(kept) < 40
        cluster.end()
        cluster.start_scheduler()
        cluster.start_worker()
        assert main(there) == 0
        assert all(path.stat().st_ino == inode for path, inode in kept.items())
    assert main([*words, str(tmp_path / "here"), "--jobs", "1"]) == 0
    assert _bytes(tmp_path / "there") == _bytes(tmp_path / "here")


def test_a_worker_with_other_code_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], archive: Path
) -> None:
    other = tmp_path / "other"
    for part in ("edge", "train", "convert"):
        shutil.copytree(ROOT / part, other / part, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "train/leakear/train/archive/shards.py").open("a") as file:
        file.write("# another version\n")
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.start_worker(root=other)
        cluster.wait_for_workers(1)
        assert main(["score", str(archive), "--out", str(tmp_path / "o"), "--scheduler", cluster.address]) == 78
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "has leakear code" in error
        assert error.endswith(": install the same")
        assert not list((tmp_path / "o").glob("part-*"))


def test_a_worker_with_other_code_that_joins_later_ends_the_run(tmp_path: Path) -> None:
    other = tmp_path / "other"
    for part in ("edge", "train", "convert"):
        shutil.copytree(ROOT / part, other / part, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "train/leakear/train/more.py").touch()
    with dask_cluster(tmp_path, workers=1) as cluster:
        results = unordered(doubled, (Job(tmp_path, n, 0.2) for n in range(500)), Scheduler(cluster.address))
        next(results)
        cluster.start_worker(root=other)
        with pytest.raises(OtherWorkerError, match="has leakear code"):
            list(results)


def test_a_worker_with_several_threads_is_refused(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.start_worker(threads=2)
        cluster.wait_for_workers(1)
        with pytest.raises(OtherWorkerError, match="has 2 threads: start it with --nthreads 1"):
            list(unordered(doubled, [Job(tmp_path, 0)], Scheduler(cluster.address)))


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1)
    with pytest.raises(LeakearError, match="no Dask scheduler answers there: start `dask scheduler`"):
        list(unordered(doubled, [Job(tmp_path, 0)], Scheduler("tcp://127.0.0.1:1")))


def _kill_after(cluster: DaskCluster, out: Path) -> None:
    while not list(out.glob("part-*")):
        pass
    cluster.processes[0].kill()


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
