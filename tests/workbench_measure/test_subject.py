"""What is measured, as a command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.encode import encode, encode_with_stats, read_stats
from workbench.errors import InputError, SubjectError, SubjectTimeout
from workbench.subject import Encoder, Subject, our_encoder


def test_our_command_names_every_setting(subject: Subject) -> None:
    changed = subject.change(tile_cols_log2=1, tile_rows_log2=2, threads=3, quantizer=9)
    command = " ".join(changed.command(Path("out.ivf"), "--psnr"))
    assert command.startswith(f"{sys.executable} -m encoder {subject.source} -o out.ivf --kernels numpy --quantizer 9 ")
    assert command.endswith("--tile-cols-log2 1 --tile-rows-log2 2 --threads 3 --limit 4 -q -y --psnr")
    assert changed.entry()["tiles"] == changed.tiles == 8


def test_any_other_encoders_command_line_is_a_subject(subject: Subject, tmp_path: Path) -> None:
    copier = f"{sys.executable} -c 'import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])' {{input}} {{output}}"
    other = subject.change(encoder=Encoder.parse(copier))
    assert encode(other, tmp_path, 60).wall_s > 0
    assert (tmp_path / "stream.ivf").read_bytes() == subject.source.read_bytes()


def test_a_template_fills_its_fields(subject: Subject) -> None:
    other = Encoder.parse(
        "rav1e {input} -o {output} --quantizer={quantizer} --limit {frames} --tiles '{tile_cols_log2} cols'"
    )
    words = subject.change(encoder=other, quantizer=7).command(Path("o.ivf"))
    assert words == ("rav1e", str(subject.source), "-o", "o.ivf", "--quantizer=7", "--limit", "4", "--tiles", "0 cols")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("rav1e {input} -o {output} {speed}", r"unknown field \{speed\}; fields are \{input\}"),
        ("rav1e {input}", r"has no \{output\}; it must name"),
        ("rav1e '{input} {output}", "No closing quotation"),
        ("rav1e {input} {output} {", "encoder command"),
    ],
)
def test_a_template_that_cannot_work_is_one_clear_error(template: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Encoder.parse(template)


def test_children_import_the_encoder_that_we_import(tmp_path: Path) -> None:
    import encoder.errors

    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    words = [*our_encoder().start[:1], "-c", "import encoder.errors; print(encoder.errors.__file__)"]
    done = subprocess.run(words, cwd=tmp_path, env=dict(our_encoder().environment), capture_output=True, text=True)
    assert done.stdout.strip() == encoder.errors.__file__


def test_what_the_encoder_calls_bad_input_is_bad_input_in_its_words(subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^encoder: .*nothing.y4m: there is no such file$"):
        encode(subject.change(source=tmp_path / "nothing.y4m"), tmp_path, 60)


def test_an_encoder_that_dies_is_one_clear_error(subject: Subject, fake_encoder, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="exit status 1: encoder: the walk fell over$"):
        encode(subject.change(encoder=fake_encoder("die")), tmp_path, 60)


def test_an_encoder_that_crashes_is_one_clear_error(subject: Subject, fake_encoder, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=r"killed by signal 6 \(SIGABRT\)"):
        encode(subject.change(encoder=fake_encoder("abort")), tmp_path, 60)


def test_an_encoder_that_hangs_is_killed_at_the_time_limit(subject: Subject, fake_encoder, tmp_path: Path) -> None:
    with pytest.raises(SubjectTimeout, match="still running after 2.00 s, killed; does it hang"):
        encode(subject.change(encoder=fake_encoder("hang")), tmp_path, 2)


def test_stats_that_are_not_written_are_missed(subject: Subject, fake_encoder, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="wrote no usable --stats file"):
        encode_with_stats(subject.change(encoder=fake_encoder("mute")), tmp_path, 60)


def test_stats_of_another_schema_are_refused(subject: Subject, tmp_path: Path) -> None:
    """Schema 1 had every frame in the order of display, all of them shown."""
    _, stats = encode_with_stats(subject, tmp_path, 60)
    assert [frame["display_index"] for frame in stats["frames"]] == [0, 2, 1, 3]
    (tmp_path / "stats.json").write_text(json.dumps(stats | {"schema": 1}))
    with pytest.raises(SubjectError, match="its --stats file is not schema 2"):
        read_stats(tmp_path / "stats.json", subject)


def test_missing_frames_are_noticed(subject: Subject, fake_encoder, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="encoded 3 frames where 4 were asked for"):
        encode_with_stats(subject.change(encoder=fake_encoder("short")), tmp_path, 60)
