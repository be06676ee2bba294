"""Downloads from a loopback server that misbehaves in every way that real ones do."""

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import workbench.corpus.fetch as fetch
from workbench.corpus import cached_path, ensure, load_corpus
from workbench.corpus.fetch import download
from workbench.errors import EnvironmentFault

from .conftest import clip_toml

CONTENT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(250)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked for.

    send_at_most   bytes after which a connection is dropped, one entry for each request; then it sends all
    statuses       answers to the first requests instead of the content
    """

    content: bytes = CONTENT
    tag: str | None = '"v1"'
    knows_ranges: bool = True
    says_length: bool = True
    stalls: bool = False
    send_at_most: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    always: int = 0
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request as `server.behaviour` says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        behaviour: Server = self.server.behaviour
        asked = self.headers.get("Range")
        behaviour.ranges.append(asked)
        self.close_connection = True
        status = behaviour.statuses.pop(0) if behaviour.statuses else behaviour.always
        if status:
            self.send_error(status)
            return
        start = self._start(behaviour, asked)
        if start >= len(behaviour.content):
            self.send_error(416)
            return
        self._send(behaviour, start)

    def _start(self, behaviour: Server, asked: str | None) -> int:
        """The first byte to send: 0 unless a range is asked for, of this very version."""
        condition = self.headers.get("If-Range")
        if asked is None or not behaviour.knows_ranges or condition not in (None, behaviour.tag):
            return 0
        return int(re.fullmatch(r"bytes=(\d+)-", asked)[1])

    def _send(self, behaviour: Server, start: int) -> None:
        body = behaviour.content[start:]
        self.send_response(206 if start else 200)
        if behaviour.tag:
            self.send_header("ETag", behaviour.tag)
        if behaviour.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        limit = behaviour.send_at_most.pop(0) if behaviour.send_at_most else len(body)
        self.wfile.write(body[:limit])
        if limit < len(body) and behaviour.stalls:
            self.wfile.flush()
            self.server.released.wait(10)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on the loopback interface; pauses between attempts are short."""
    monkeypatch.setattr(fetch, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(fetch, "TIMEOUT_S", 5.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    listener.released = threading.Event()
    listener.behaviour = Server(url=f"http://127.0.0.1:{listener.server_port}/clip.y4m")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield listener.behaviour
    listener.released.set()
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the download goes."""
    return tmp_path / "downloads" / "clip.y4m"


def names_beside(target: Path) -> list[str]:
    return sorted(entry.name for entry in target.parent.iterdir())


def test_file_arrives_whole_and_alone(server, target):
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert names_beside(target) == ["clip.y4m"]
    assert server.ranges == [None]


def test_dropped_connection_is_resumed(server, target):
    """Two drops: three requests, each from where the last one ended."""
    server.send_at_most = [100_000, 50_000]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_progress_is_reported(server, target):
    server.send_at_most = [100_000]
    seen = []
    download(server.url, target, SHA256, len(CONTENT), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_later_call_goes_on_where_an_earlier_one_died(server, target):
    target.parent.mkdir()
    (target.parent / ".clip.y4m.part").write_bytes(CONTENT[:70_000])
    (target.parent / ".clip.y4m.part.etag").write_text('"v1"')
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=70000-"]


def test_new_version_on_the_server_is_fetched_from_the_start(server, target):
    target.parent.mkdir()
    (target.parent / ".clip.y4m.part").write_bytes(b"old" * 1000)
    (target.parent / ".clip.y4m.part.etag").write_text('"v0"')
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("tag", [None, 'W/"weak"'], ids=["no tag", "weak tag"])
def test_resuming_needs_no_strong_tag(server, target, tag):
    server.tag = tag
    server.send_at_most = [100_000]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_server_without_ranges_starts_over(server, target):
    server.knows_ranges = False
    server.send_at_most = [100_000]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_server_that_says_no_length_is_followed(server, target):
    server.says_length = False
    server.send_at_most = [100_000]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_stalled_connection_times_out_and_is_resumed(server, target, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    server.stalls = True
    server.send_at_most = [100_000]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_busy_server_is_asked_again(server, target):
    server.statuses = [503, 429, 500]
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert len(server.ranges) == 4


def test_part_longer_than_the_servers_file_starts_over(server, target):
    target.parent.mkdir()
    (target.parent / ".clip.y4m.part").write_bytes(CONTENT + b"more")
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_server_that_always_fails_is_given_up(server, target):
    server.always = 503
    with pytest.raises(EnvironmentFault, match="failed 6 times in a row: HTTP status 503; 0 of 320000 bytes") as caught:
        download(server.url, target, SHA256, len(CONTENT))
    assert caught.value.exit_status == 5
    assert len(server.ranges) == fetch.ATTEMPTS
    assert not target.exists()


def test_server_that_always_breaks_off_at_the_same_place_is_given_up(server, target):
    server.knows_ranges = False
    server.send_at_most = [1000] * 50
    with pytest.raises(EnvironmentFault, match="the connection ended after 1000 of 320000 bytes"):
        download(server.url, target, SHA256, len(CONTENT))
    assert len(server.ranges) == fetch.ATTEMPTS + 1


def test_server_that_never_comes_further_is_given_up(server, target):
    """Shorter and longer pieces in turn, always from the start: coming back to a place is no progress."""
    server.knows_ranges = False
    server.send_at_most = [2000, 1000] * 50
    with pytest.raises(EnvironmentFault, match="failed 6 times in a row"):
        download(server.url, target, SHA256, len(CONTENT))
    assert len(server.ranges) == fetch.ATTEMPTS + 1


def test_missing_file_is_not_asked_for_twice(server, target):
    server.always = 404
    with pytest.raises(EnvironmentFault, match="the server refuses: HTTP status 404"):
        download(server.url, target, SHA256, len(CONTENT))
    assert len(server.ranges) == 1


def test_nobody_listening_is_one_line(server, target, monkeypatch):
    monkeypatch.setattr(fetch, "ATTEMPTS", 2)
    with pytest.raises(EnvironmentFault, match="failed 2 times in a row: Connection refused") as caught:
        download("http://127.0.0.1:9/clip.y4m", target, SHA256, len(CONTENT))
    assert "\n" not in str(caught.value)


def test_wrong_content_is_deleted(server, target):
    server.content = bytes(len(CONTENT))
    with pytest.raises(EnvironmentFault, match=f"has sha256 .*, the manifest says {SHA256}; it was deleted"):
        download(server.url, target, SHA256, len(CONTENT))
    assert names_beside(target) == []


def test_endless_content_is_cut_off(server, target):
    server.content = CONTENT * 3
    server.says_length = False
    with pytest.raises(EnvironmentFault, match="sends more than the 320000 bytes"):
        download(server.url, target, SHA256, len(CONTENT))
    assert names_beside(target) == []


def test_unwritable_place_is_one_line(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written: Not a directory; the download needs 320000 bytes"):
        download(server.url, tmp_path / "file" / "folder" / "clip.y4m", SHA256, len(CONTENT))


def test_fetched_clip_of_a_manifest_is_ensured(server, write_manifest):
    server.send_at_most = [100_000]
    source = f'{{ kind = "fetch", url = "{server.url}", bytes = {len(CONTENT)} }}'
    (clip,) = load_corpus(write_manifest(clip_toml(source=source, sha256=f'"{SHA256}"'))).clips
    path = ensure(clip)
    assert path == cached_path(clip) and path.name == f"small-{SHA256[:16]}.y4m"
    assert path.read_bytes() == CONTENT
    ensure(clip)
    assert len(server.ranges) == 2, "downloaded again though it is there"
