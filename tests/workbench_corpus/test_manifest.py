"""corpus.toml: what the project ships is complete, and every mistake in a manifest is one clear line."""

from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest

from workbench.corpus import load_corpus, tiny_version
from workbench.corpus.clips import Fetched, Generated, Stored
from workbench.corpus.generator import KINDS
from workbench.errors import InputError

from .conftest import PROJECT_CORPUS, clip_toml

FETCH = '{ kind = "fetch", url = "https://example.org/a.y4m", bytes = 100 }'
TINY = 'width = 16, height = 8, frames = 2, first = 1, sha256 = "' + "0" * 64 + '"'


# --- what the project ships -------------------------------------------------------------------------------------------


def test_default_tier_has_every_kind_and_two_large_pictures(project_corpus):
    clips = project_corpus.in_tier("default")
    assert {clip.source.recipe for clip in clips} == set(KINDS)
    assert [clip.name for clip in clips if (clip.width, clip.height) == (1280, 720)] == ["pan_720", "sports_720"]
    assert any(clip.width % 2 and clip.height % 2 for clip in clips), "no odd size"
    assert any(clip.height > clip.width for clip in clips), "no portrait"
    assert all(clip.frames >= 17 for clip in clips), "a key frame and a mini-GOP of 16 behind it"


def test_generated_clips_may_be_passed_on_and_need_no_network(project_corpus):
    for clip in project_corpus.in_tier("default"):
        assert isinstance(clip.source, Generated) and clip.redistributable and clip.licence == "CC0-1.0"


def test_main_clips_are_the_default_tier(project_corpus):
    assert project_corpus.main_clips() == project_corpus.in_tier("default")


def test_tiny_tier_stands_for_the_default_tier(project_corpus):
    """Same recipes and seeds, checksums of their own, small enough for interpreted runs, some of odd size."""
    default, tiny = project_corpus.in_tier("default"), project_corpus.in_tier("tiny")
    for clip, small in zip(default, tiny, strict=True):
        assert small.name == f"{clip.name}_tiny" and small.tier == "tiny"
        assert (small.source.recipe, small.source.seed) == (clip.source.recipe, clip.source.seed)
        assert small.source.timeline == clip.frames
        assert small.frames == 3 and small.width * small.height <= 72 * 66
        assert small.sha256 is not None and small.sha256 != clip.sha256
    assert any(small.width % 8 or small.height % 8 for small in tiny)
    assert any(small.width > 64 and small.height > 64 for small in tiny), "superblocks on all sides of one another"


def test_clip_is_a_value(project_corpus):
    clip = project_corpus.clips[0]
    assert clip == load_corpus(PROJECT_CORPUS).clips[0] and hash(clip) == hash(load_corpus(PROJECT_CORPUS).clips[0])
    with pytest.raises(FrozenInstanceError):
        clip.width = 1


# --- reading ----------------------------------------------------------------------------------------------------------


def test_fields_arrive(write_manifest):
    folder = write_manifest(clip_toml(fps='"24000/1001"', tags='["a", "b"]', tier='"release"', redistributable="false"))
    corpus = load_corpus(folder)
    (clip,) = corpus.clips
    assert (clip.name, clip.class_, clip.tier) == ("small", "natural-pan", "release")
    assert (clip.width, clip.height, clip.frames, clip.fps) == (48, 32, 3, Fraction(24000, 1001))
    assert (clip.tags, clip.redistributable, clip.format) == (("a", "b"), False, "420p8")
    assert clip.source == Generated("pan", seed=7, first=0, timeline=3)
    assert clip.manifest == corpus.manifest == folder / "corpus.toml"


def test_manifest_file_itself_can_be_named(write_manifest):
    folder = write_manifest(clip_toml())
    assert load_corpus(folder / "corpus.toml").clips == load_corpus(folder).clips


def test_manifest_decides_though_there_are_videos(write_manifest):
    folder = write_manifest(clip_toml())
    (folder / "other.mp4").write_bytes(b"not looked at")
    assert [clip.name for clip in load_corpus(folder).clips] == ["small"]


def test_file_and_fetch_sources(write_manifest):
    stored = clip_toml(name='"mine"', source='{ kind = "file", path = "sub/mine.mkv" }', format='"422p10"')
    folder = write_manifest(stored, clip_toml(name='"net"', source=FETCH))
    mine, net = load_corpus(folder).clips
    assert mine.source == Stored() and mine.path == folder / "sub" / "mine.mkv" and mine.format == "422p10"
    assert net.source == Fetched("https://example.org/a.y4m", 100) and net.path is None


def test_tiny_version_without_an_entry_is_made_from_the_middle(write_manifest):
    (clip,) = load_corpus(write_manifest(clip_toml(frames="20", width="200", height="33"))).clips
    small = tiny_version(clip)
    assert (small.width, small.height, small.frames, small.sha256) == (48, 33, 3, None)
    assert (small.source.first, small.source.timeline) == (9, 20)


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES = {
    "typo in a key": (clip_toml(widht="3"), ["unknown key 'widht'", "did you mean 'width'", "accepted: name, class"]),
    "missing field": (clip_toml(licence=None), ["key 'licence' is missing", "SPDX"]),
    "missing source": (clip_toml(source=None), ["key 'source' is missing"]),
    "missing sha256": (clip_toml(sha256=None), ["key 'sha256' is missing", "64 hexadecimal"]),
    "short sha256": (clip_toml(sha256='"abc"'), ["sha256 is 'abc'", "64 hexadecimal"]),
    "upper-case sha256": (clip_toml(sha256=f'"{"A" * 64}"'), ["lower case"]),
    "text for a number": (clip_toml(width='"48"'), ["width is '48'", "whole number, 1 to 4096"]),
    "true for a number": (clip_toml(width="true"), ["width is True", "whole number"]),
    "fraction for a number": (clip_toml(width="48.0"), ["width is 48.0", "whole number"]),
    "zero width": (clip_toml(width="0"), ["width is 0", "1 to 4096"]),
    "absurd height": (clip_toml(height="100000"), ["height is 100000", "1 to 4096"]),
    "no frames": (clip_toml(frames="0"), ["frames is 0"]),
    "fps as a number": (clip_toml(fps="30"), ["fps is 30", "'30/1'"]),
    "fps of zero": (clip_toml(fps='"30/0"'), ["fps is '30/0'"]),
    "unknown tier": (clip_toml(tier='"defualt"'), ["tier is 'defualt'", "did you mean 'default'"]),
    "tiny as a tier": (clip_toml(tier='"tiny"'), ["tier is 'tiny'", "default, full, release"]),
    "capital in a name": (clip_toml(name='"Small"'), ["name is 'Small'", "a-z"]),
    "way out in a name": (clip_toml(name='"../up"'), ["name is '../up'"]),
    "no name": (clip_toml(name=None), ["clip number 1", "key 'name' is missing"]),
    "name as a number": (clip_toml(name="3"), ["clip number 1", "name is 3"]),
    "tags as a text": (clip_toml(tags='"a"'), ["tags is 'a'", "list of words"]),
    "redistributable as a text": (clip_toml(redistributable='"yes"'), ["redistributable is 'yes'", "true or false"]),
    "generated in 10 bits": (clip_toml(format='"420p10"'), ["format is '420p10'", "420p8"]),
    "unknown format": (clip_toml(source=FETCH, format='"rgb"'), ["format is 'rgb'"]),
    "two of a name": (clip_toml() + clip_toml(), ["two clips are named 'small'", "rename"]),
    "source as a text": (clip_toml(source='"pan"'), ["source is 'pan'", "[clip.source]"]),
    "unknown kind": (clip_toml(source='{ kind = "fecth" }'), ["kind is 'fecth'", "did you mean 'fetch'"]),
    "unknown recipe": (
        clip_toml(source='{ kind = "generated", recipe = "pam", seed = 1, generator = 1 }'),
        ["recipe is 'pam'", "did you mean 'pan'", "gratings"],
    ),
    "key of another kind": (
        clip_toml(source='{ kind = "generated", recipe = "pan", seed = 1, generator = 1, url = "x" }'),
        ["unknown key 'url'", "accepted: kind, recipe, seed, generator"],
    ),
    "negative seed": (
        clip_toml(source='{ kind = "generated", recipe = "pan", seed = -1, generator = 1 }'),
        ["seed is -1"],
    ),
    "newer generator": (
        clip_toml(source='{ kind = "generated", recipe = "pan", seed = 1, generator = 2 }'),
        ["generator is 2", "1, the version that this workbench has"],
    ),
    "address without http": (
        clip_toml(source='{ kind = "fetch", url = "file:///etc/passwd.y4m", bytes = 1 }'),
        ["url is 'file:///etc/passwd.y4m'", "http"],
    ),
    "address of no video": (
        clip_toml(source='{ kind = "fetch", url = "https://a.org/x.txt", bytes = 1 }'),
        ["url is", ".y4m"],
    ),
    "fetch without a size": (
        clip_toml(source='{ kind = "fetch", url = "https://a.org/x.y4m" }'),
        ["key 'bytes' is missing"],
    ),
    "file of no video": (clip_toml(source='{ kind = "file", path = "x.txt" }'), ["path is 'x.txt'", ".mkv"]),
    "typo in tiny": (clip_toml(tiny="{ widht = 16 }"), ["tiny: unknown key 'widht'", "did you mean 'width'"]),
    "tiny beyond the end": (
        clip_toml(tiny="{ " + TINY.replace("first = 1", "first = 2") + " }"),
        ["tiny: first is 2", "0 to 1"],
    ),
    "tiny of a fetched clip": (
        clip_toml(source=FETCH, tiny="{ " + TINY + " }"),
        ["[clip.tiny] is for generated clips"],
    ),
    "clip as a table": ('[clip]\nname = "x"', ["clip is", "[[clip]]"]),
    "no clip": ("", ["key 'clip' is missing"]),
    "unknown top-level key": ("titel = 1\n" + clip_toml(), ["unknown key 'titel'", "accepted: schema, clip"]),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_one_line_that_names_it(text, expected, write_manifest):
    folder = write_manifest(text)
    with pytest.raises(InputError) as caught:
        load_corpus(folder)
    message = str(caught.value)
    assert caught.value.exit_status == 2
    assert message.startswith(str(folder / "corpus.toml"))
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_mistake_names_the_clip(write_manifest):
    with pytest.raises(InputError, match="clip 'other': key 'width' is missing"):
        load_corpus(write_manifest(clip_toml(), clip_toml(name='"other"', width=None)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"schema = 1\n[[clip]\n", "not valid TOML: .*line 2"),
        (b"schema = 1\nschema = 1\n", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "key 'schema' is missing"),
        (b"schema = 2\n[[clip]]\n", "schema is 2; it needs schema 1"),
    ],
    ids=["bad TOML", "double key", "not text", "empty", "newer schema"],
)
def test_unreadable_manifest_is_one_line(content, expected, tmp_path):
    (tmp_path / "corpus.toml").write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        load_corpus(tmp_path)
    assert "\n" not in str(caught.value)


# --- asking a corpus --------------------------------------------------------------------------------------------------


def test_named_clips_come_in_the_order_asked_for(project_corpus):
    assert [clip.name for clip in project_corpus.named(["text", "pan"])] == ["text", "pan"]


def test_unknown_name_is_suggested(project_corpus):
    with pytest.raises(InputError, match=r"no clip 'txt' \(did you mean 'text'\?\); clips: pan, zoomrot"):
        project_corpus.named(["pan", "txt"])


def test_unknown_tier_is_suggested(project_corpus):
    with pytest.raises(InputError, match=r"tier 'defalt' \(did you mean 'default'\?\); tiers: default, full, tiny"):
        project_corpus.in_tier("defalt")
