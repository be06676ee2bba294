"""FFmpeg's header parser as an independent reader of what we write."""

import re
from collections.abc import Callable, Iterator

import av
import pytest
from av.bitstream import BitStreamFilterContext

ELEMENT = re.compile(r"\d+\s+(\S+)\s+(?:[01]+ )?= (-?\d+)")  # position, name, bits if it has any, value

Elements = list[tuple[str, int]]


@pytest.fixture
def trace() -> Iterator[Callable[..., Elements]]:
    """Parse temporal units that follow one another: every syntax element with its value, in order."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    yield _trace
    av.logging.set_level(level)


def _trace(*units: bytes) -> Elements:
    parser = BitStreamFilterContext("trace_headers", "libdav1d")
    with av.logging.Capture() as log:
        for unit in units:
            parser.filter(av.Packet(unit))
    lines = "".join(message for _, _, message in log).splitlines()
    return [(found[1], int(found[2])) for found in map(ELEMENT.fullmatch, map(str.strip, lines)) if found]
