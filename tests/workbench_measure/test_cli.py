"""The door: verbs loaded when used, errors of one line."""

import subprocess
import sys

import pytest

from workbench import cli
from workbench.commands import VERBS

HEAVY = ("numpy", "numba", "matplotlib", "av", "rich", "jinja2", "coverage", "memray", "pyperf")


def test_help_names_every_verb_and_imports_nothing_heavy(process_environment: dict[str, str]) -> None:
    code = f"""
import sys
from workbench import cli
try:
    cli.main(["--help"])
except SystemExit:
    print("heavy:", sorted(set(sys.modules) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], env=process_environment, capture_output=True, text=True)
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_the_common_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"corpus": ["corpus", "list"], "kernels": ["kernels", "bench"]}.get(verb, [verb])
    with pytest.raises(SystemExit) as exit_:
        cli.main([*words, "--help"])
    said = capsys.readouterr().out
    assert exit_.value.code == 0 and "--json FILE" in said and "--quiet" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["profil"],
            "'profil' is no verb; verbs are: profile, compare, doctor, corpus, kernels, flame, trace, memory, counts, report;",
        ),
        (["profile", "--fast", "x"], "No such option"),
        (["profile"], "Missing argument 'CORPUS'"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    said = capsys.readouterr().err
    assert exit_.value.code == 2 and message in said
    assert said.startswith("workbench: ") and said.count("\n") == 1


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([])
    assert exit_.value.code == 2 and "Commands:" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(process_environment: dict[str, str]) -> None:
    words = [sys.executable, "-m", "workbench", "kernels", "list"]
    process = subprocess.Popen(words, env=process_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    assert (process.wait(), complaint) == (0, b"")
