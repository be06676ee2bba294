"""The cache: a clip's file is whole and right, or not there; two processes, a kill or a full disk change nothing."""

import dataclasses
import fcntl
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import workbench.corpus.cache as cache_module
from workbench.corpus import Clip, cached_path, ensure, load_corpus, tiny_version, verify
from workbench.corpus.cache import State, cache_folder, state
from workbench.errors import EnvironmentFault

from .conftest import PROJECT_CORPUS, clip_toml

SMALL_BYTES = len("YUV4MPEG2 W48 H32 F30:1 Ip A1:1 C420jpeg\n") + 3 * (6 + 48 * 32 * 3 // 2)


@pytest.fixture
def small(write_manifest: Callable[..., Path]) -> Clip:
    """A generated clip of 48x32 and three frames, not made yet."""
    return load_corpus(write_manifest(clip_toml())).clips[0]


@pytest.fixture
def run_python(process_environment: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """run_python(code, argument, ...) -> a process under way that imports what we do and uses our cache."""

    def run(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**process_environment, "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]}
        return subprocess.Popen(command, env=environment, **pipes, **options)

    return run


def clip_files(cache: Path) -> list[str]:
    """What lies in the cache beside locks and stamps, hidden files included."""
    return sorted(entry.name for entry in cache.iterdir() if entry.is_file()) if cache.exists() else []


def damage(path: Path) -> None:
    """Change one byte in the middle, as a bad disk would; the time of change is a new one."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


# --- making -----------------------------------------------------------------------------------------------------------


def test_every_tiny_clip_has_the_sha256_of_the_manifest(project_corpus, cache):
    for clip in project_corpus.in_tier("tiny"):
        path = ensure(clip)
        assert path.parent == cache
        assert hashlib.sha256(path.read_bytes()).hexdigest() == clip.sha256


def test_clip_is_made_once(small):
    first = ensure(small).stat()
    again = ensure(small, progress=lambda *_: pytest.fail("made again")).stat()
    assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)


def test_force_makes_it_anew(small):
    first = ensure(small).stat().st_ino
    assert ensure(small, force=True).stat().st_ino != first


def test_progress_counts_the_bytes(small):
    seen = []
    ensure(small, progress=lambda clip, done, total: seen.append((clip.name, done, total)))
    assert seen[-1] == ("small", SMALL_BYTES, SMALL_BYTES)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert cached_path(small).stat().st_size == SMALL_BYTES


def test_clips_of_different_content_never_meet(write_manifest):
    """Same name, other bytes: two manifests do not overwrite each other's clips."""
    one = load_corpus(write_manifest(clip_toml())).clips[0]
    other = dataclasses.replace(one, sha256="1" * 64)
    assert cached_path(one) != cached_path(other)


def test_wrong_sha256_in_the_manifest_leaves_nothing(write_manifest, cache):
    (clip,) = load_corpus(write_manifest(clip_toml(sha256=f'"{"1" * 64}"'))).clips
    with pytest.raises(
        EnvironmentFault, match=r"corpus\.toml: clip 'small' was made with sha256 8c07.*says 1111"
    ) as caught:
        ensure(clip)
    assert caught.value.exit_status == 5
    assert clip_files(cache) == []


def test_clip_without_known_sha256_is_made_once_and_checked(small):
    tiny = tiny_version(small)
    assert tiny.sha256 is None
    path = ensure(tiny)
    assert state(tiny) is State.INTACT
    damage(path)
    assert state(tiny) is State.DAMAGED
    with pytest.raises(EnvironmentFault, match="damaged"):
        ensure(tiny)


def test_clip_without_known_sha256_and_stamp_is_made_anew(small, cache):
    tiny = tiny_version(small)
    ensure(tiny)
    for stamp in (cache / "stamps").iterdir():
        stamp.unlink()
    assert state(tiny) is State.ABSENT
    made = []
    ensure(tiny, progress=lambda *report: made.append(report))
    assert made and state(tiny) is State.INTACT


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_cache_home_that_is_no_absolute_path_does_not_count(value, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "workbench" / "corpus"


# --- damage -----------------------------------------------------------------------------------------------------------


def test_damaged_clip_is_one_line_with_the_remedy(small):
    path = ensure(small)
    damage(path)
    with pytest.raises(EnvironmentFault) as caught:
        ensure(small)
    message = str(caught.value)
    assert caught.value.exit_status == 5
    assert "\n" not in message
    assert message.startswith(f"{path}: clip 'small' is damaged: its sha256 begins ")
    assert f"8c072243abe6 is right; run: workbench corpus verify {small.manifest.parent} --repair" in message


@pytest.mark.parametrize("content", [b"", b"YUV4MPEG2 W48 H32"], ids=["empty", "cut off"])
def test_truncated_clip_is_damaged(small, content):
    ensure(small).write_bytes(content)
    assert state(small) is State.DAMAGED


def test_force_repairs_a_damaged_clip(small):
    damage(ensure(small))
    assert verify(dataclasses.replace(small)) is State.DAMAGED
    ensure(small, force=True)
    assert verify(small) is State.INTACT


def test_verify_hashes_whatever_the_stamp_says(small):
    """Damage that keeps size and time of change is seen by verify; the stamp spares the hash on mere use."""
    path = ensure(small)
    before = path.stat()
    damage(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state(small) is State.INTACT
    assert verify(small) is State.DAMAGED


def test_touched_clip_is_hashed_and_accepted(small, monkeypatch):
    path = ensure(small)
    os.utime(path, ns=(1, 1))
    assert ensure(small) == path
    monkeypatch.setattr(cache_module, "_sha256_of", lambda _: pytest.fail("hashed though the stamp is renewed"))
    assert ensure(small) == path


def test_unreadable_stamp_is_no_stamp(small, cache):
    ensure(small)
    for stamp in (cache / "stamps").iterdir():
        stamp.write_text("{")
    assert state(small) is State.INTACT


# --- files of the user's own ------------------------------------------------------------------------------------------


def stored_clip(write_manifest: Callable[..., Path], content: bytes, sha256: str | None = None) -> Clip:
    """A clip of a manifest's own file, which holds `content`."""
    digest = sha256 or hashlib.sha256(content).hexdigest()
    entry = clip_toml(source='{ kind = "file", path = "mine.y4m" }', sha256=f'"{digest}"')
    folder = write_manifest(entry)
    (folder / "mine.y4m").write_bytes(content)
    return load_corpus(folder).clips[0]


def test_stored_clip_is_used_where_it_is(write_manifest):
    clip = stored_clip(write_manifest, b"content")
    assert ensure(clip) == clip.path == clip.manifest.parent / "mine.y4m"


def test_stored_clip_with_another_sha256_is_refused_and_untouched(write_manifest):
    clip = stored_clip(write_manifest, b"content", "2" * 64)
    for force in (False, True):
        with pytest.raises(EnvironmentFault, match=r"clip 'small' is damaged.*correct sha256 in .*corpus\.toml"):
            ensure(clip, force=force)
    assert clip.path.read_bytes() == b"content"


def test_missing_stored_clip_is_one_line(write_manifest):
    clip = stored_clip(write_manifest, b"content")
    clip.path.unlink()
    with pytest.raises(
        EnvironmentFault, match=r"mine\.y4m: the file of clip 'small' is not there.*corpus\.toml names it"
    ):
        ensure(clip)


# --- interruptions ----------------------------------------------------------------------------------------------------

MAKE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from workbench.corpus import ensure, load_corpus
(clip,) = load_corpus(Path(sys.argv[1])).clips
def die(clip, done, total):
    if done > total // 2:
        os.kill(os.getpid(), signal.SIGKILL)
ensure(clip, die)
"""


def test_killed_maker_leaves_nothing_under_the_final_name(small, cache, run_python):
    maker = run_python(MAKE_AND_DIE, small.manifest.parent)
    maker.communicate(timeout=60)
    assert maker.returncode == -signal.SIGKILL
    assert not cached_path(small).exists()
    assert [name for name in clip_files(cache) if ".part-" in name], "it died before it wrote anything"
    assert state(small) is State.ABSENT
    ensure(small)
    assert clip_files(cache) == [cached_path(small).name], "the leftover is not removed"


def test_interrupted_maker_leaves_nothing_at_all(small, cache):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(small, interrupt)
    assert clip_files(cache) == []


MAKE_SLOWLY = """
import sys, time
from pathlib import Path
from workbench.corpus import ensure, load_corpus
(clip,) = load_corpus(Path(sys.argv[1])).clips
made = []
def slowly(clip, done, total):
    made.append(done)
    time.sleep(0.3)
print("ready", flush=True)
sys.stdin.readline()
path = ensure(clip, slowly)
print("made" if made else "found", path.stat().st_size)
"""


def test_two_processes_make_a_clip_once(small, run_python):
    """Both are let go at the same moment; the one that loses the lock waits for the file and gets it whole."""
    makers = [run_python(MAKE_SLOWLY, small.manifest.parent, stdin=subprocess.PIPE) for _ in range(2)]
    for maker in makers:
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        maker.stdin.write("go\n")
        maker.stdin.flush()
    answers = sorted(maker.communicate(timeout=60)[0].split()[0] for maker in makers)
    assert answers == ["found", "made"]
    assert verify(small) is State.INTACT


def test_lock_that_is_never_released_is_an_error_not_a_hang(small, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "LOCK_PATIENCE_S", 0.2)
    lock = cache / "locks" / f"{cached_path(small).name}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFault, match="another process has kept this lock"):
            ensure(small)
    assert ensure(small).exists()


# --- no room ----------------------------------------------------------------------------------------------------------

MAKE_IN_LITTLE_ROOM = """
import sys
from workbench.cli import main
main(["corpus", "make", sys.argv[1], "--clips", sys.argv[2]])
"""


def limit_file_size() -> None:
    """No file of this process may grow beyond 100 kB: what a full disk or a quota looks like to a writer."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_no_room_for_the_clip_is_one_line_and_nothing_is_left(run_python, cache):
    maker = run_python(MAKE_IN_LITTLE_ROOM, PROJECT_CORPUS, "text", preexec_fn=limit_file_size)
    output, errors = maker.communicate(timeout=60)
    assert maker.returncode == 5
    assert output == ""
    assert errors.count("\n") == 1 and errors.startswith("workbench: ")
    assert "cannot be written: File too large" in errors
    assert "clip 'text' needs 1.11 MiB: make room, or set XDG_CACHE_HOME" in errors
    assert clip_files(cache) == []


def test_full_disk_is_one_line_and_nothing_is_left(run_python, tmp_path, monkeypatch):
    """The same on a real file system of 300 kB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
        maker = run_python(MAKE_IN_LITTLE_ROOM, PROJECT_CORPUS, "text")
        _, errors = maker.communicate(timeout=60)
        assert maker.returncode == 5
        assert errors.count("\n") == 1 and "cannot be written: No space left on device" in errors
        assert clip_files(cache_folder()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_cache_that_cannot_be_written_is_one_line(small, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="cannot be written: Not a directory; set XDG_CACHE_HOME"):
        ensure(small)
