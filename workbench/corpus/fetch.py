"""Downloads that go on where they broke off, and count only when their sha256 is right.

Bounded in every direction: never more bytes than announced, few attempts without progress, a time limit on every read.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workbench.errors import EnvironmentFault

Report = Callable[[int, int], None]
"""Called as report(done_bytes, total_bytes)."""

ATTEMPTS = 6
TIMEOUT_S = 30.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
CHUNK_BYTES = 1 << 18

_TOO_EARLY_OR_MANY = (408, 425, 429)
_RANGE_NOT_SATISFIABLE = 416


def download(url: str, path: Path, sha256: str, size_bytes: int, report: Report | None = None) -> None:
    """Fetch `url` into `path`, which appears when all `size_bytes` are there and their sha256 is right.

    What has arrived waits in .NAME.part beside it, so that a later call goes on from there; bytes with a wrong sha256
    are deleted. Raises EnvironmentFault for a server that refuses, fails ATTEMPTS times in a row or sends something
    else, and for a full disk.
    """
    transfer = _Transfer(url, path.with_name(f".{path.name}.part"), size_bytes, report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        transfer.run()
        if (found := transfer.digest()) != sha256:
            transfer.discard()
            raise EnvironmentFault(
                f"{url}: what was downloaded has sha256 {found}, the manifest says {sha256}; it was deleted"
            )
        os.replace(transfer.part, path)
        transfer.discard()
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentFault(
            f"{path}: cannot be written: {reason}; the download needs {size_bytes} bytes: make room, "
            "or set XDG_CACHE_HOME to a folder elsewhere"
        ) from error


class _ConnectionBrokeError(Exception):
    """The network failed in a way that another attempt may mend."""


@dataclass
class _Transfer:
    """One download under way: `part` holds what has come, NAME.part.etag the version of the file that it belongs to."""

    url: str
    part: Path
    size_bytes: int
    report: Report | None

    @property
    def _tag_path(self) -> Path:
        return self.part.with_name(f"{self.part.name}.etag")

    def _have_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def digest(self) -> str:
        """The sha256 of what has come."""
        with self.part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def discard(self) -> None:
        """Remove what has come, and its tag."""
        self.part.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    def run(self) -> None:
        """Attempt until all bytes are there; one that came further than any before does not count as a failure."""
        failures, furthest = 0, self._have_bytes()
        while (have := self._have_bytes()) != self.size_bytes:
            try:
                self._attempt(have)
            except _ConnectionBrokeError as error:
                have = self._have_bytes()
                failures = 0 if have > furthest else failures + 1
                furthest = max(furthest, have)
                if failures == ATTEMPTS:
                    raise EnvironmentFault(
                        f"{self.url}: the download failed {ATTEMPTS} times in a row: {error}; "
                        f"{have} of {self.size_bytes} bytes are kept, the next call goes on from there"
                    ) from error
                time.sleep(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**failures))

    def _attempt(self, have_bytes: int) -> None:
        """One request for the rest, until the server has sent it. Raises _ConnectionBrokeError to be tried again."""
        try:
            response = urllib.request.urlopen(self._request(have_bytes), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            self._refused(error)
            return
        except (OSError, http.client.HTTPException) as error:
            raise _ConnectionBrokeError(_reason(error)) from error
        with response:
            resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            self._keep_tag(response.headers.get("ETag") or response.headers.get("Last-Modified"))
            # Any other answer to a Range is the whole file: the server cannot resume, or has a new version of it.
            with self.part.open("ab" if resumed else "wb") as file:
                self._receive(response, file)

    def _request(self, have_bytes: int) -> urllib.request.Request:
        request = urllib.request.Request(self.url, headers={"User-Agent": "workbench-corpus/1"})
        if have_bytes:
            request.add_header("Range", f"bytes={have_bytes}-")
            if self._tag_path.exists():
                request.add_header("If-Range", self._tag_path.read_text(encoding="ascii"))
        return request

    def _keep_tag(self, tag: str | None) -> None:
        # A weak tag (W/"...") may not stand in If-Range (RFC 9110, 13.1.5).
        if tag is not None and not tag.startswith("W/") and tag.isascii():
            self._tag_path.write_text(tag, encoding="ascii")
        else:
            self._tag_path.unlink(missing_ok=True)

    def _refused(self, error: urllib.error.HTTPError) -> None:
        """Judge an HTTP error: start over, try again, or give up."""
        with error:
            if error.code == _RANGE_NOT_SATISFIABLE and self.part.exists():
                self.discard()  # what we have is longer than the server's file: start over
                raise _ConnectionBrokeError("the server's file is shorter than what had come")
            if error.code >= 500 or error.code in _TOO_EARLY_OR_MANY:
                raise _ConnectionBrokeError(f"HTTP status {error.code}")
            raise EnvironmentFault(f"{self.url}: the server refuses: HTTP status {error.code} {error.reason}")

    def _receive(self, response: http.client.HTTPResponse, file: IO[bytes]) -> None:
        """Append the answer's body to `file`, on the disk. Raises _ConnectionBrokeError when it ends too early."""
        while chunk := _read(response):
            if file.tell() + len(chunk) > self.size_bytes:
                self.discard()
                raise EnvironmentFault(
                    f"{self.url}: the server sends more than the {self.size_bytes} bytes that the manifest says"
                )
            file.write(chunk)
            if self.report is not None:
                self.report(file.tell(), self.size_bytes)
        file.flush()
        os.fsync(file.fileno())
        if file.tell() < self.size_bytes:
            raise _ConnectionBrokeError(f"the connection ended after {file.tell()} of {self.size_bytes} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next bytes, empty at the end; a network failure is told apart from one of the disk."""
    try:
        return response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionBrokeError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """What failed, without the numbers of the system's errors."""
    cause = getattr(error, "reason", None) or error
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__
