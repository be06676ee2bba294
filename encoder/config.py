"""What to encode and how: one frozen object, checked when it is made."""

from dataclasses import dataclass
from fractions import Fraction

from encoder.errors import ConfigError
from encoder.tiling import Tiling, tile_limits

MIN_WIDTH = MIN_HEIGHT = 8
MAX_WIDTH, MAX_HEIGHT = 4096, 2304  # the largest picture that one tile can hold (MAX_TILE_WIDTH, MAX_TILE_AREA)
MAX_THREADS = 1024
DEFAULT_FPS = Fraction(25)  # for inputs that do not say
_MAX_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SpeedPreset:
    """How thoroughly the search looks; steps are quantizer steps, ac_q / 8.

    flat_divisor  a block is not split if its variance a sample is at most the squared step by this
    busy_factor   an 8x8 block is tried as four 4x4 ones from so many squared steps of variance a sample on
    good_shift    only common modes are tried where one leaves at most 8 / 2**good_shift steps a sample
    close_shift   the second best prediction is coded too if it costs at most 1 / 2**close_shift more
    """

    flat_divisor: int
    busy_factor: int
    good_shift: int
    close_shift: int


_THOROUGH, _FAST = SpeedPreset(16, 1, 8, 3), SpeedPreset(4, 2, 4, 5)


def speed_preset(speed: int) -> SpeedPreset:
    """The preset of a speed: 0 to 6 search thoroughly, 7 to 10 fast."""
    return _THOROUGH if speed <= 6 else _FAST


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The settings of one encode. Raises ConfigError where one is out of range.

    width, height    visible luma samples, 8x8 to 4096x2304
    fps              frames per second, both terms below 2**32
    quantizer        base_q_idx, 1 (finest) to 255; 0 would be lossless, a mode that we do not have
    speed            0 to 6 search thoroughly, 7 to 10 fast
    tile_cols_log2   log2 of the number of tile columns asked for, as in the specification (5.9.15): the picture
    tile_rows_log2   is cut into at most so many, because a tile is whole superblocks of 64x64
    threads          tiles encoded at the same time
    kernels          a set, with overrides: "numba,satd=mine.py:satd_fast"
    probe            record spans inside the compiled code
    stress_seed      draw every decision at random from this seed; None encodes in earnest
    psnr             measure every frame against its source
    full_range       samples use 0 to 255, not the studio range: told to displays, nothing else changes
    """

    width: int
    height: int
    fps: Fraction = DEFAULT_FPS
    quantizer: int = 100
    speed: int = 10
    tile_cols_log2: int = 0
    tile_rows_log2: int = 0
    threads: int = 1
    kernels: str = "numba"
    probe: bool = False
    stress_seed: int | None = None
    psnr: bool = False
    full_range: bool = False

    def __post_init__(self) -> None:
        fault = size_fault(self.width, self.height) or fps_fault(self.fps)
        if fault:
            raise ConfigError(fault)
        _require_range("quantizer (base_q_idx)", self.quantizer, 1, 255, ": 0 is lossless, not supported yet")
        _require_range("speed", self.speed, 0, 10)
        _require_range("threads", self.threads, 1, MAX_THREADS)
        if self.stress_seed is not None:
            _require_range("stress seed", self.stress_seed, 0, 2**64 - 1)
        limits = tile_limits(self.width, self.height)
        self._require_tiles("tile-cols-log2", self.tile_cols_log2, limits.max_cols_log2, "wide")
        self._require_tiles("tile-rows-log2", self.tile_rows_log2, limits.max_rows_log2, "high")

    @property
    def tiling(self) -> Tiling:
        """The tiles that the picture is cut into."""
        return Tiling.uniform(self.width, self.height, self.tile_cols_log2, self.tile_rows_log2)

    def _require_tiles(self, name: str, value: int, largest: int, direction: str) -> None:
        length = self.width if direction == "wide" else self.height
        why = f": the picture is {length} samples {direction}, superblocks are 64 and a tile is at least one"
        _require_range(name, value, 0, largest, why)


def size_fault(width: int, height: int) -> str | None:
    """Why a picture of this many luma samples cannot be encoded, or None."""
    if MIN_WIDTH <= width <= MAX_WIDTH and MIN_HEIGHT <= height <= MAX_HEIGHT:
        return None
    accepted = f"{MIN_WIDTH}x{MIN_HEIGHT} to {MAX_WIDTH}x{MAX_HEIGHT}"
    return f"picture size {width}x{height} is out of range, accepted: {accepted}"


def fps_fault(fps: Fraction) -> str | None:
    """Why this frame rate cannot be written, or None."""
    if fps > 0 and max(fps.numerator, fps.denominator) <= _MAX_UINT32:
        return None
    return f"frame rate {fps.numerator}:{fps.denominator} is out of range, accepted: above 0, both terms below 2**32"


def _require_range(name: str, value: int, low: int, high: int, why: str = "") -> None:
    if not low <= value <= high:
        accepted = f"only {low}" if low == high else f"{low} to {high}"
        raise ConfigError(f"{name} is {value}, accepted: {accepted}{why}")
