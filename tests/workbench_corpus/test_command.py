"""`workbench corpus`: what the verbs print, write and refuse."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from workbench.commands.corpus import corpus
from workbench.corpus import cached_path, ensure, load_corpus
from workbench.errors import EnvironmentFault, InputError

from .conftest import PROJECT_CORPUS, clip_toml


def run(*arguments: object) -> Result:
    """A command line in this process; a WorkbenchError stands in result.exception."""
    return CliRunner().invoke(corpus, [str(argument) for argument in arguments])


@pytest.fixture
def folder(write_manifest: Callable[..., Path]) -> Path:
    """A corpus of one small clip and one that would be downloaded."""
    fetched = '{ kind = "fetch", url = "http://127.0.0.1:9/a.y4m", bytes = 100 }'
    return write_manifest(clip_toml(), clip_toml(name='"net"', tier='"full"', source=fetched))


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    os.utime(path, ns=(5, 5))


def test_list_shows_every_clip_of_the_project():
    result = run("list", PROJECT_CORPUS)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["name", "class", "tier", "size", "frames", "fps", "licence", "file"]
    assert ["pan", "natural-pan", "default", "352x288", "30", "30", "CC0-1.0", "not", "made", "yet"] in rows
    assert len(rows) == 1 + len(load_corpus(PROJECT_CORPUS).clips)


def test_list_tells_what_is_there(folder):
    ensure(load_corpus(folder).clips[0])
    lines = run("list", folder).stdout.splitlines()
    assert lines[1].endswith("there, checked") and lines[2].endswith("not downloaded yet")
    flip_a_byte(cached_path(load_corpus(folder).clips[0]))
    assert run("list", folder).stdout.splitlines()[1].endswith("DAMAGED")


def test_list_of_a_tier(folder):
    assert [line.split()[0] for line in run("list", folder, "--tier", "full").stdout.splitlines()[1:]] == ["net"]
    assert [line.split()[0] for line in run("list", folder, "--tier", "tiny").stdout.splitlines()[1:]] == ["small_tiny"]


def test_json_holds_the_manifests_fields(folder, tmp_path):
    target = tmp_path / "out.json"
    assert run("list", folder, "--json", target, "--quiet").stdout == ""
    content = json.loads(target.read_text())
    assert content["schema"] == 1 and content["corpus"] == str(folder)
    entry = content["clips"][0]
    assert (entry["name"], entry["class"], entry["fps"], entry["state"]) == ("small", "natural-pan", "30/1", "absent")
    assert entry["path"].endswith("small-8c072243abe64e69.y4m")


def test_existing_json_is_refused_before_anything_is_made(folder, tmp_path, cache):
    target = tmp_path / "out.json"
    target.write_text("mine")
    result = run("make", folder, "--json", target)
    assert isinstance(result.exception, InputError) and "--force" in str(result.exception)
    assert target.read_text() == "mine" and not cache.exists()


def test_make_makes_the_default_tier(folder):
    result = run("make", folder)
    (clip,) = load_corpus(folder).in_tier("default")
    assert result.exit_code == 0
    assert result.stdout.split() == ["small", "made", "6.81", "KiB", str(cached_path(clip))]
    assert run("make", folder).stdout.split()[1:3] == ["was", "there"]
    assert run("make", folder, "--force").stdout.split()[1] == "made"


def test_make_of_chosen_clips_and_tiers(folder):
    assert run("make", folder, "--clips", "small").exit_code == 0
    assert run("make", folder, "--tier", "tiny").stdout.split()[0] == "small_tiny"
    assert run("make", folder, "--clips", "small", "--tier", "tiny").exit_code == 2
    result = run("make", folder, "--clips", "smal")
    assert isinstance(result.exception, InputError) and "did you mean 'small'" in str(result.exception)


def test_make_refuses_a_damaged_clip_and_force_repairs_it(folder):
    run("make", folder)
    flip_a_byte(cached_path(load_corpus(folder).clips[0]))
    result = run("make", folder)
    assert isinstance(result.exception, EnvironmentFault) and "--repair" in str(result.exception)
    assert run("make", folder, "--force").exit_code == 0
    assert run("verify", folder).exit_code == 0


def test_verify_accepts_what_is_not_made_yet(folder):
    result = run("verify", folder)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["small", "net", "small_tiny"]


def test_verify_finds_damage_and_repairs_it(folder):
    run("make", folder)
    path = cached_path(load_corpus(folder).clips[0])
    flip_a_byte(path)
    result = run("verify", folder)
    assert isinstance(result.exception, EnvironmentFault) and result.exception.exit_status == 5
    assert str(result.exception) == f"{folder}: damaged clips: small; run: workbench corpus verify {folder} --repair"
    assert "small       DAMAGED" in result.stdout
    repaired = run("verify", folder, "--repair")
    assert repaired.exit_code == 0 and "small       there, checked" in repaired.stdout


def test_verify_cannot_repair_the_users_own_files(write_manifest):
    source = '{ kind = "file", path = "mine.y4m" }'
    folder = write_manifest(clip_toml(source=source))
    missing = run("verify", folder, "--repair")
    assert isinstance(missing.exception, EnvironmentFault) and "missing files of clips small" in str(missing.exception)
    (folder / "mine.y4m").write_bytes(b"YUV4MPEG2 W48 H32 F30:1 C420jpeg\nFRAME\n" + bytes(48 * 32 * 3 // 2))
    damaged = run("verify", folder, "--repair")
    assert isinstance(damaged.exception, EnvironmentFault) and "restore the files" in str(damaged.exception)


def test_own_videos_are_listed_and_left_alone(tmp_path):
    video = tmp_path / "mine.y4m"
    video.write_bytes(b"YUV4MPEG2 W16 H8 F30:1 C420jpeg\n" + 2 * (b"FRAME\n" + bytes(192)))
    assert run("list", video).stdout.splitlines()[1].split() == [
        "mine",
        "own",
        "own",
        "16x8",
        "2",
        "30",
        "unknown",
        "there",
    ]
    assert run("make", video).stdout.split()[:3] == ["mine", "own", "file"]
    assert run("verify", video).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["list", "gone"], 2, "workbench: gone: no such file or folder"),
        (["make"], 2, "workbench: corpus: no such file or folder"),
        (["list", "--tier"], 2, "workbench: "),
        (["make", str(PROJECT_CORPUS), "--clips", "flt"], 2, "did you mean 'flat'"),
    ],
)
def test_command_line_says_one_line_and_its_status(arguments, status, expected, tmp_path, process_environment):
    command = [sys.executable, "-m", "workbench", "corpus", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=process_environment, timeout=60)
    assert done.returncode == status
    assert done.stdout == ""
    assert expected in done.stderr and done.stderr.count("\n") == 1
