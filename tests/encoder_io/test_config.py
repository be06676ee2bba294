"""The configuration refuses what cannot be encoded, and says what can."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.config import EncoderConfig
from encoder.errors import ConfigError


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"width": 0, "height": 0}, "picture size 0x0 is out of range, accepted: 8x8 to 4096x2304"),
        ({"width": 7}, "picture size 7x288 is out of range"),
        ({"height": 2305}, "picture size 352x2305 is out of range"),
        ({"fps": Fraction(0)}, "frame rate 0:1 is out of range"),
        ({"fps": Fraction(2**32)}, "frame rate 4294967296:1 is out of range"),
        ({"quantizer": 0}, "quantizer (base_q_idx) is 0, accepted: 1 to 255: 0 is lossless, not supported yet"),
        ({"quantizer": 256}, "quantizer (base_q_idx) is 256, accepted: 1 to 255"),
        ({"speed": -1}, "speed is -1, accepted: 0 to 10"),
        ({"speed": 11}, "speed is 11, accepted: 0 to 10"),
        ({"threads": 0}, "threads is 0, accepted: 1 to 1024"),
        ({"keyint": -1}, "keyint is -1, accepted: 0 to 2147483647"),
        ({"keyint": 2**31}, "keyint is 2147483648, accepted: 0 to 2147483647"),
        ({"min_keyint": 241}, "min-keyint is 241, accepted: 0 to 240: it cannot exceed keyint, 240"),
        ({"keyint": 1, "min_keyint": 2}, "min-keyint is 2, accepted: 0 to 1: it cannot exceed keyint, 1"),
        ({"keyint": 0, "min_keyint": 2**31}, "min-keyint is 2147483648, accepted: 0 to 2147483647"),
        ({"forced_key_frames": (0, -3)}, "a forced key frame is -3, accepted: 0 to 2147483646: frames count from 0"),
        ({"forced_key_frames": (2**31 - 1,)}, "a forced key frame is 2147483647, accepted: 0 to 2147483646"),
        ({"stress_seed": -1}, "stress seed is -1, accepted: 0 to"),
        ({"tile_cols_log2": 4}, "tile-cols-log2 is 4, accepted: 0 to 3: the picture is 352 samples wide"),
        ({"tile_rows_log2": -1}, "tile-rows-log2 is -1, accepted: 0 to 3: the picture is 288 samples high"),
        ({"width": 64, "tile_cols_log2": 1}, "tile-cols-log2 is 1, accepted: only 0: the picture is 64 samples wide"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        EncoderConfig(**{"width": 352, "height": 288, **settings})
    assert message in str(error.value)


@given(width=st.integers(8, 4096), height=st.integers(8, 2304), log2=st.integers(0, 7))
def test_tile_limits_are_those_of_the_specification(width: int, height: int, log2: int) -> None:
    """Accepted exactly where increment_tile_cols_log2 can lead (spec 5.9.15): the last doubling still gave a tile."""
    superblocks = -(-width // 64)
    possible = log2 == 0 or (1 << (log2 - 1)) < min(superblocks, 64)
    if possible:
        assert EncoderConfig(width, height, tile_cols_log2=log2).tiling.cols <= min(superblocks, 1 << log2)
    else:
        with pytest.raises(ConfigError):
            EncoderConfig(width, height, tile_cols_log2=log2)


@pytest.mark.parametrize(
    "keyint, min_keyint, least",
    [(240, None, 12), (5, None, 5), (1, None, 1), (0, None, 12), (240, 0, 0), (0, 500, 500)],
)
def test_the_default_of_min_keyint_stays_below_keyint(keyint: int, min_keyint: int | None, least: int) -> None:
    assert EncoderConfig(352, 288, keyint=keyint, min_keyint=min_keyint).least_keyint == least


def test_a_config_cannot_be_changed() -> None:
    config = EncoderConfig(352, 288)
    with pytest.raises(AttributeError):
        config.quantizer = 3  # type: ignore[misc]
