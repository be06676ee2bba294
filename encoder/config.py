"""What to encode and how: one frozen object, checked when it is made."""

from dataclasses import dataclass
from fractions import Fraction

from encoder.errors import ConfigError
from encoder.tiling import Tiling, tile_limits

MIN_WIDTH = MIN_HEIGHT = 8
MAX_WIDTH, MAX_HEIGHT = 4096, 2304  # the largest picture that one tile can hold (MAX_TILE_WIDTH, MAX_TILE_AREA)
MAX_THREADS = 1024
MAX_FRAMES = 2**31 - 1  # of a stream: display indices and intervals are below
DEFAULT_KEYINT, DEFAULT_MIN_KEYINT = 240, 12
DEFAULT_FPS = Fraction(25)  # for inputs that do not say
DEFAULT_KERNELS = "simd"  # the fastest set
_MAX_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The settings of one encode. Raises ConfigError where one is out of range.

    width, height    visible luma samples, 8x8 to 4096x2304
    fps              frames per second, both terms below 2**32
    quantizer        base_q_idx, 1 (finest) to 255; 0 would be lossless, a mode that we do not have
    speed            0 (slowest) to 10: see presets.py
    tile_cols_log2   log2 of the number of tile columns asked for, as in the specification (5.9.15): the picture
    tile_rows_log2   is cut into at most so many, because a tile is whole superblocks of 64x64
    threads          that encode frames, their tiles, and filter rows at the same time; from 2 on, one more prepares the next frames
    kernels          a set, with overrides: "simd,satd=mine.py:satd_fast"
    probe            record spans inside the compiled code
    stress_seed      draw every decision at random from this seed; None encodes in earnest
    psnr             measure every frame against its source
    full_range       samples use 0 to 255, not the studio range: told to displays, nothing else changes
    keyint           frames from one key frame to the next, at most; 1: key frames only, 0: no limit
    min_keyint       frames from a key frame to the next one that begins a scene, at least; not above keyint.
                     None: 12, or keyint if that is less
    scene_detection  the first frame of a scene becomes a key frame
    forced_key_frames  display indices, from 0, of frames that become key frames in any case
    low_latency      code in the order of display
    """

    width: int
    height: int
    fps: Fraction = DEFAULT_FPS
    quantizer: int = 100
    speed: int = 10
    tile_cols_log2: int = 0
    tile_rows_log2: int = 0
    threads: int = 1
    kernels: str = DEFAULT_KERNELS
    probe: bool = False
    stress_seed: int | None = None
    psnr: bool = False
    full_range: bool = False
    keyint: int = DEFAULT_KEYINT
    min_keyint: int | None = None
    scene_detection: bool = True
    forced_key_frames: tuple[int, ...] = ()
    low_latency: bool = False

    def __post_init__(self) -> None:
        fault = size_fault(self.width, self.height) or fps_fault(self.fps)
        if fault:
            raise ConfigError(fault)
        _require_range("quantizer (base_q_idx)", self.quantizer, 1, 255, ": 0 is lossless, not supported yet")
        _require_range("speed", self.speed, 0, 10)
        _require_range("threads", self.threads, 1, MAX_THREADS)
        _require_range("keyint", self.keyint, 0, MAX_FRAMES)
        if self.min_keyint is not None:
            why = f": it cannot exceed keyint, {self.keyint}" if self.keyint else ""
            _require_range("min-keyint", self.min_keyint, 0, self.keyint or MAX_FRAMES, why)
        for index in self.forced_key_frames:
            _require_range("a forced key frame", index, 0, MAX_FRAMES - 1, ": frames count from 0")
        if self.stress_seed is not None:
            _require_range("stress seed", self.stress_seed, 0, 2**64 - 1)
        limits = tile_limits(self.width, self.height)
        self._require_tiles("tile-cols-log2", self.tile_cols_log2, limits.max_cols_log2, "wide")
        self._require_tiles("tile-rows-log2", self.tile_rows_log2, limits.max_rows_log2, "high")

    @property
    def tiling(self) -> Tiling:
        """The tiles that the picture is cut into."""
        return Tiling.uniform(self.width, self.height, self.tile_cols_log2, self.tile_rows_log2)

    @property
    def least_keyint(self) -> int:
        """min_keyint, its default filled in."""
        if self.min_keyint is not None:
            return self.min_keyint
        return min(DEFAULT_MIN_KEYINT, self.keyint) if self.keyint else DEFAULT_MIN_KEYINT

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
