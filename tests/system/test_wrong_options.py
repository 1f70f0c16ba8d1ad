"""Every program names a wrong option itself, under the usage of the subcommand to which it was given."""

import importlib

import pytest


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("leakear.edge.cli", "replay --speeed 1 x.wav", "there is no option --speeed here: did you mean --speed?"),
        ("leakear.edge.cli", "listen --xyzzy", "there is no option --xyzzy here; see --help"),
        ("leakear.edge.cli", "listen more", "more: is more than it takes"),
        ("leakear.edge.cli", "config show --confg x", "there is no option --confg here: did you mean --config?"),
        ("leakear.train.cli", "nodedays --foo", "there is no option --foo here"),
        ("leakear.train.cli", "fit DATA --epoch-s=9", "there is no option --epoch-s here: did you mean --epochs?"),
        ("leakear.convert.cli", "verify m.tflite --foo", "there is no option --foo here"),
        ("leakear.convert.cli", "run --mod int8 -o x.tflite --reprot r", "did you mean --report?"),
        (
            "leakear.dashboard.cli",
            "nights x.csv --badget 1",
            "there is no option --badget here: did you mean --budget?",
        ),
        ("leakear.dashboard.cli", "locate a b --lenght 3", "there is no option --lenght here: did you mean --length?"),
        ("leakear.dashboard.cli", "report x.pdf --moth 2026-11", "did you mean --month?"),
        ("leakear.dashboard.cli", "retention --foo", "there is no option --foo here"),
        ("leakear.dashboard.cli", "--broker mqtt://x --lisen 1", "did you mean --listen?"),
    ],
)
def test_a_wrong_option_is_named_under_the_usage_of_its_subcommand(
    program: str, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(program).main(words.split())
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in error
    command = "convert" if "run" in words.split() else words.split(maxsplit=1)[0]
    usage = error.partition("error:")[0]
    assert f"usage: leakear-{program.split('.')[1]} {command}" in usage or "leakear-dashboard --broker" in usage
    assert "COMMAND" not in error
