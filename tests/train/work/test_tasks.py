from functools import partial
from pathlib import Path

import pytest

from leakear.edge.errors import LeakearError
from leakear.train.cli import main
from leakear.train.work import identity
from leakear.train.work.tasks import ordered, unordered
from tests.support.dask_cluster import Job, doubled, killed


def test_results_come_with_their_number_and_in_order_where_wanted(tmp_path: Path) -> None:
    jobs = [Job(tmp_path, number) for number in range(20)]
    for count in (1, 2):
        assert dict(unordered(doubled, jobs, count)) == {number: 2 * number for number in range(20)}
        assert list(ordered(doubled, jobs, count)) == list(range(0, 40, 2))


def test_tasks_are_taken_only_as_workers_need_them(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> object:
        while True:
            taken.append(len(taken))
            yield Job(tmp_path, taken[-1])

    results = unordered(doubled, endless(), 2)  # type: ignore[arg-type]
    assert next(results)[1] % 2 == 0
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 16


def test_a_killed_process_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LeakearError, match=r"worker process was killed .* continues where this one stopped"):
        list(unordered(killed, [Job(tmp_path, 0), Job(tmp_path, 1)], 2))


@pytest.mark.parametrize("address", ["8786", "http://here:8786", "tcp://here", "tcp://:8786"])
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["nodedays", "--out", str(tmp_path), "--scheduler", address])
    assert exit_.value.code == 2
    assert "tcp://HOST:PORT" in capsys.readouterr().err


def test_an_identity_says_what_differs(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"one")
    expected = identity.here([model])
    require = partial(identity.require, expected, "tcp://w:1")
    require()
    model.write_bytes(b"other")
    with pytest.raises(identity.OtherWorkerError, match=r"worker tcp://w:1 has another file .*model.tflite"):
        require()
    model.unlink()
    with pytest.raises(identity.OtherWorkerError, match=r"cannot read .*model\.tflite: put it on a file system"):
        require()
    facts = tuple((name, "0.1" if name == "numpy" else value) for name, value in expected.facts)
    assert identity.Identity(facts).difference(expected).startswith("has numpy ")
