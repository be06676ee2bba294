"""The pages of a run: whole, offline, the same each time, and honest about what is missing."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

import workbench
from workbench.analysis.findings import findings
from workbench.errors import InputError
from workbench.record import read_run
from workbench.report.html_page import html_page
from workbench.report.markdown import markdown
from workbench.report.profile_page import profile_document
from workbench.report.wording import sentences
from workbench.report.write import write_report

from .synthetic import build_run, record_of

PACKAGES = Path(workbench.__file__).parents[1]
SECTIONS = {
    "select": "Coverage by clip: not measured",
    "check": "Kinds of frame: not measured",
    "time": "Times: not measured",
    "spans": "Stages: not measured",
    "stacks": "Hottest functions: not measured",
    "memory": "allocations per frame",
    "largest": "Timeline: not measured",
    "tiles": "Tiles and threads: not measured",
}
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Nesting(HTMLParser):
    """Collects tags that are closed in another order than they were opened."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def written(folder):
    """Every written file's bytes by name."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "records.jsonl"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_all_pages_are_written(pages):
    pictures = {f"pictures/{name}.svg" for name in ("times", "speed-up", "timeline", "memory-live", "memory-resident")}
    files = {"report.html", "report.md", "flame.html", "timeline.html", "trace.chrome.json", "trace.speedscope.json"}
    assert files | pictures <= set(written(pages))


def test_the_same_records_give_the_same_bytes_in_another_process(pages, tmp_path):
    """Other hash seed, other time, other folder."""
    (tmp_path / "records.jsonl").write_bytes((pages / "records.jsonl").read_bytes())
    code = f"from workbench.report.write import write_report; write_report({str(tmp_path)!r})"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(PACKAGES)},
    )
    assert written(tmp_path) == written(pages)


def test_pages_are_not_overwritten_unless_told(pages):
    before = written(pages)
    with pytest.raises(InputError, match="not overwritten"):
        write_report(pages)
    assert written(pages) == before


def test_one_page_that_is_there_keeps_all_from_being_written(run_folder, tmp_path):
    (tmp_path / "records.jsonl").write_bytes((run_folder / "records.jsonl").read_bytes())
    (tmp_path / "trace.speedscope.json").touch()
    with pytest.raises(InputError, match=r"trace\.speedscope\.json"):
        write_report(tmp_path)
    assert written(tmp_path) == {"trace.speedscope.json": b""}


@pytest.mark.parametrize("name", ["report.html", "flame.html", "timeline.html"])
def test_a_page_loads_nothing_from_anywhere(pages, name):
    text = (pages / name).read_text()
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w/.-]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(link|img|iframe|object|embed|source)\b|\bsrc=|@import|url\((?!#)", text)


@pytest.mark.parametrize("name", ["report.html", "flame.html", "timeline.html"])
def test_a_page_is_well_nested(pages, name):
    parser = Nesting()
    parser.feed((pages / name).read_text())
    assert parser.wrong == []
    assert parser.open == []


def test_links_inside_the_report_lead_somewhere(pages):
    text = (pages / "report.html").read_text()
    anchors = set(re.findall(r'<a href="#([^"]+)"', text))
    assert anchors == set(re.findall(r'<section id="([^"]+)"', text))
    assert all((pages / file).is_file() for file in re.findall(r'<a href="([^#"]+)"', text))


def test_pictures_are_svg_with_text_as_text(pages):
    text = (pages / "report.md").read_text()
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert sorted(shown) == sorted(name for name in written(pages) if name.startswith("pictures/"))
    for name in shown:
        root = ET.parse(pages / name).getroot()
        assert root.tag.endswith("svg")
        assert any(element.text for element in root.iter("{http://www.w3.org/2000/svg}text"))


def test_every_row_of_a_markdown_table_has_the_columns_of_its_head(pages):
    tables = re.findall(r"(?:^\|.*\n)+", (pages / "report.md").read_text(), flags=re.MULTILINE)
    assert len(tables) > 6
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_the_figures_stand_in_the_page(pages, found):
    text = (pages / "report.html").read_text()
    pan = next(clip for clip in found.times if clip.subject.clip == "pan")
    assert f"{1e3 * pan.per_frame_s:.1f}" in text
    assert f"p = {found.law.p:.3f}" in text
    assert "encoder pan.y4m -o out.ivf -y" in text


def test_bits_and_time_stand_in_the_page_by_kind_of_frame(pages):
    """The planted shares, in Markdown and in HTML, and a picture of them."""
    for name, text in (
        ("report.md", (pages / "report.md").read_text()),
        ("report.html", (pages / "report.html").read_text()),
    ):
        for kind, size, spent in (("key", 60, 30), ("layer 0", 25, 20), ("layer 1", 10, 20), ("layer 2", 5, 30)):
            shares = rf"{kind}\b(?:[^\n]|\n(?!</tr>))*?\b{size}\.0\b(?:[^\n]|\n(?!</tr>))*?\b{spent}\.0\b"
            assert re.search(shares, section(text, "Frames")), f"{name}: {kind}"
    assert "pictures/frames.svg" in section((pages / "report.md").read_text(), "Frames")
    drawn = (pages / "pictures" / "frames.svg").read_text()
    assert "Share of the bytes" in drawn and "Share of the time" in drawn and "layer 2" in drawn


def test_the_hottest_kernel_stands_line_by_line_with_the_source_that_was_kept(pages):
    """The planted lines, out of the records: there is no such file here."""
    text = section((pages / "report.md").read_text(), "Lines of the hottest kernel")
    line = re.search(r"^ *([\d.]+) +([\d.]+) +43 +total \+= _row\(a, b, row\)$", text, re.MULTILINE)
    assert line and 10 < float(line[1]) < float(line[2]) < 25
    assert re.search(r"^ +\. +\. +40 +def satd", text, re.MULTILINE)
    assert "_row (inlined)" in section((pages / "report.html").read_text(), "Lines of the hottest kernel")
    assert '"def satd(a, b):"' in (pages / "flame.html").read_text()


@pytest.mark.usefixtures("sketched")
def test_a_function_whose_source_was_not_kept_is_said_to_be_so(tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=("tiles", "memory", "largest"))
    path = folder / "records.jsonl"
    path.write_text(re.sub(r'"sources": \[.*?\}\]', '"sources": []', path.read_text()))
    text = section(markdown(profile_document(findings(read_run(folder)))), "Lines of the hottest kernel")
    assert (
        "`set_numba.satd` encoder/kernels/set_numba/distortion.py" in text
        and "No source to show: it was not kept" in text
    )


def test_the_timeline_stands_in_the_page_and_leads_to_its_own(pages):
    text = section((pages / "report.md").read_text(), "Timeline")
    assert "2 tiles on 2 threads" in text and "(timeline.html)" in text and "pictures/timeline.svg" in text
    assert re.search(r"\| tile \| 4\.8\d* ms \| 66\.7 \|", text)
    assert re.search(r"\| tile worker 2 \| 44\.4 \|", text) and "latency" in text.lower()
    drawn = ET.parse(pages / "pictures" / "timeline.svg").getroot()
    labels = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"frames", "main", "tile worker 1", "critical path", "motion", "cdef"} <= set(labels)


def test_memory_stands_in_the_page_over_time_and_inside_compiled_code(pages):
    text = section((pages / "report.md").read_text(), "Memory")
    assert "pictures/memory-live.svg" in text and "pictures/memory-resident.svg" in text
    assert re.search(r"\| `satd: tile.walk.grow` \| 8 \|", text)
    assert "peak 6.68 MiB" in (pages / "pictures" / "memory-live.svg").read_text()
    assert "max 163 MiB" in (pages / "pictures" / "memory-resident.svg").read_text()


def section(text, title):
    """A section of either page, from its heading to the next."""
    parts = re.split(r"^## |<h2>", text, flags=re.MULTILINE)
    return next(part for part in parts if part.startswith((f"{title}\n", f"{title}</h2>")))


def test_rare_modes_are_left_out_and_classes_of_syntax_are_named(pages):
    text = section((pages / "report.md").read_text(), "Frames")
    heads = [line for line in text.splitlines() if line.startswith("| kind of frame")]
    assert any("coefficients y" in head and "motion" in head for head in heads)
    assert any("NEWMV" in head and "DC" in head for head in heads)
    assert any("8x8" in head and "64x64" in head for head in heads)


def test_the_summary_says_what_key_frames_take(found):
    said = "\n".join(sentences(found))
    assert "key frames 60.0 % of the bytes and 30.0 % of the time; layer 0 25.0 %" in said


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize(("step", "said"), SECTIONS.items())
def test_a_missing_step_is_said_to_be_missing(tmp_path, step, said):
    run = read_run(build_run(tmp_path / "run", clips=("pan",), without=(step,), end="interrupted"))
    document = profile_document(findings(run))
    text = markdown(document)
    assert said in text
    assert "interrupted" in text
    assert html_page(document)


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize(
    ("end", "said"), [(None, "killed"), ("budget", "ended by its time budget"), ("failed", "error")]
)
def test_a_run_with_no_record_at_all_still_gives_a_page(tmp_path, end, said):
    run = read_run(build_run(tmp_path / "run", end=end, without=tuple(SECTIONS)))
    text = markdown(profile_document(findings(run)))
    assert "there is nothing to report" in text
    assert said in text
    assert html_page(profile_document(findings(run)))


def test_warnings_stand_in_the_section_of_what_they_are_about(pages):
    sections = dict(
        re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", (pages / "report.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    )
    assert "**Warning:** **water**: repetition 4 took" in sections["Times"]
    assert "repetition 4 took" not in sections["What is not known"]


@pytest.mark.usefixtures("sketched")
def test_a_single_repetition_has_no_spread_and_no_interval(tmp_path):
    found = findings(read_run(build_run(tmp_path / "run", clips=("pan",), repetitions=1, without=("spans", "stacks"))))
    assert found.times[0].relative_spread is None
    assert found.times[0].interval is None
    assert re.search(r"\| pan \| 640x360 \| \d+ \| [\d.]+ \| – \| – \|", markdown(profile_document(found)))


@pytest.mark.usefixtures("sketched")
def test_clips_that_a_step_did_not_come_to_are_named(tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan", "flat"), without=("stacks", "tiles"))
    lines = [
        line
        for line in (folder / "records.jsonl").read_text().splitlines()
        if not ('"stage_s"' in line and '"flat"' in line)
    ]
    (folder / "records.jsonl").write_text("\n".join(lines))
    assert "The step 'spans' was not taken for flat." in markdown(profile_document(findings(read_run(folder))))
    left_out = {"kind": "record", "schema": 1, **record_of("profile", "left_out", "", {}, [], {"step": "spans"})}
    left_out["warnings"] = ["spans: the budget was used up before flat (numba)"]
    lines.insert(1, json.dumps(left_out))
    (folder / "records.jsonl").write_text("\n".join(lines))
    text = markdown(profile_document(findings(read_run(folder))))
    assert "- Spans: the budget was used up before flat (numba)." in text
    assert "was not taken" not in text


def test_names_from_outside_cannot_become_markup(tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), tile_clips=("pan",))
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"pan"', '"<script>alert(1)</script>|x"'))
    write_report(folder)
    for name in ("report.html", "flame.html"):
        assert "<script>alert" not in (folder / name).read_text()
    rows = [
        line for line in (folder / "report.md").read_text().splitlines() if "script" in line and line.startswith("| ")
    ]
    assert rows
    assert all("&lt;script>" in row and "\\|x" in row for row in rows)
    ET.parse(folder / "pictures" / "times.svg")


@pytest.mark.usefixtures("sketched")
def test_a_failed_check_is_the_first_thing_said(tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=("stacks", "spans", "tiles", "memory"))
    path = folder / "records.jsonl"
    failed = r'\1[0.0]\2"frame 3 differs"'
    path.write_text(re.sub(r'("metric": "decodes".*?"values": )\[1.0\](.*?"message": )""', failed, path.read_text()))
    text = markdown(profile_document(findings(read_run(folder))))
    assert "**1 of 1 streams do not decode with libdav1d" in text
    assert "frame 3 differs" in text
    assert "**NO**" in text


@pytest.mark.usefixtures("sketched")
def test_sets_that_differ_are_named(tmp_path):
    folder = build_run(tmp_path / "run", clips=("pan",), without=("stacks", "spans", "tiles", "memory", "time"))
    path = folder / "records.jsonl"
    path.write_text(re.sub(r'("metric": "sets_agree".*?"values": )\[1.0\]', r"\1[0.0]", path.read_text()))
    assert "**The kernel sets numba, numpy, python write different bytes** for pan" in markdown(
        profile_document(findings(read_run(folder)))
    )
