"""One run of the command: open the files, encode, measure, write the figures.

The encoder itself, and with it Numba, is imported after the files are open: what is wrong with them is said at once.

The figures of --stats (schema 2) are seconds, bytes and dB. `frames` has an entry for every coded frame, in coding order;
each picture is coded once. Of the totals, `frames` counts pictures, `bytes` are those of the temporal units: the frames and
little more. `start_up_s` reaches from the start of the process to the moment the encoder asks for its first picture,
`compile_s` is spent on compiling (0 once that is in the cache), `input_s` and `output_s` on reading and writing, and
`wall_s` is the whole, from the start of the process to the last frame's last byte.
"""

import argparse
import atexit
import ctypes
import gc
import json
import os
import signal
import stat
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from encoder import quality
from encoder.config import EncoderConfig
from encoder.errors import EncoderError, InputError, KernelError, OutputError
from encoder.files import Outputs
from encoder.ivf import IvfWriter, ObuWriter
from encoder.picture import Picture
from encoder.y4m import Y4mReader, Y4mWriter

if TYPE_CHECKING:
    from encoder.kernels.load import KernelSet
    from encoder.stream import Packet

STATS_SCHEMA = 2
_OWN_WRITERS: dict[str, type[IvfWriter] | type[ObuWriter]] = {".ivf": IvfWriter, ".obu": ObuWriter}
_UNUSED = ("scipy", "coverage")
"""Half a second and a tenth of one: numba asks scipy.linalg only whether np.cov could have it, and coverage for its own use."""
_M_MMAP_THRESHOLD = -3  # of malloc.h
_MAPPED_FROM_BYTES = 1 << 20
_CONTAINER_FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm"}


class Source(Protocol):
    """An opened input."""

    width: int
    height: int
    fps: Fraction
    full_range: bool

    def pictures(self, skip: int = 0, limit: int | None = None) -> Iterator[Picture]:
        """The pictures after the first `skip`, at most `limit` of them."""


class Writer(Protocol):
    """An opened output for temporal units."""

    def write(self, data: bytes, pts: int, is_key: bool) -> None:
        """Append one temporal unit."""

    def close(self) -> None:
        """Finish the format."""


class Progress(Protocol):
    """Whom to tell how far the work is."""

    def compiling(self, function: str) -> None:
        """The compilation of a function begins."""

    def frames(self, done: int, total: int | None, elapsed_s: float) -> None:
        """`done` frames of `total`, where it is known, are encoded after `elapsed_s`."""


def warm(options: argparse.Namespace, progress: Progress) -> str:
    """Compile what the kernel set needs into the cache; returns the line to print. Raises KernelError for a user's kernel that
    raises when it is tried."""
    _begin_compiling(options.kernels)
    from encoder.stream import warm as warm_kernels

    began = time.perf_counter()
    with _user_kernel_errors(options.kernels):
        warm_kernels(options.kernels, progress.compiling)
    return f"kernels {options.kernels} are ready after {time.perf_counter() - began:.1f} s"


def encode_files(options: argparse.Namespace, progress: Progress) -> str:
    """Encode the input into the outputs that the options name; returns the line to print."""
    _give_pictures_back()
    account = Account(keep_frames=options.stats is not None)
    with Outputs(options.overwrite) as outputs, ExitStack() as inputs:
        if options.stress is None:
            source = open_input(options.input, inputs)
            config = _config(options, source)
            sink = Sink(options, config, outputs)
            _begin_compiling(config.kernels)
            from encoder.stream import encode

            packets = encode(account.reading(source.pictures(options.skip, options.limit)), config)
        else:
            from encoder.stress import encode_stress

            config, packets = encode_stress(options.stress, options.kernels)
            sink = Sink(options, config, outputs)
        figures = _encode(packets, options, config, sink, account, progress)
        sink.write_stats(figures)
    return _summary(figures, account.frames_s)


def _give_pictures_back() -> None:
    """Have memory as large as a picture returned to the system as soon as it is free.

    glibc stops doing so once the first one was freed, and holes between pictures stay in the resident set: 7 to 15 MiB of it.
    Other C libraries have no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


def _begin_compiling(kernels: str) -> None:
    """Import what encodes, and have another process compile where the cache is cold."""
    _import_numba()
    from encoder import compile_ahead

    compile_ahead.start(kernels)


def _import_numba() -> None:
    """Import numba and what uses it, whole, without what numba tries to import and we do not use.

    Imports swallow what is raised in callbacks of theirs, an interrupt too, which would then be lost: signals wait until they
    are done. Python would look for garbage among what is imported meanwhile, and at the end of the process, for a seventh of the
    time it takes to encode one frame.
    """
    atexit.register(gc.freeze)
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    collecting = gc.isenabled()
    gc.disable()
    try:
        _import_numba_without([name for name in _UNUSED if name not in sys.modules and find_spec(name) is not None])
        import_module("encoder.stream")
    finally:
        if collecting:
            gc.enable()
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)


def _import_numba_without(names: list[str]) -> None:
    """Import numba while the import of `names` fails, as it does of what stands in sys.modules as None."""
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        arraymath: Any = import_module("numba.np.arraymath")
    finally:
        for name in names:
            del sys.modules[name]
    if "scipy" in names:
        arraymath._HAVE_BLAS = True


def _encode(
    packets: Iterator["Packet"],
    options: argparse.Namespace,
    config: EncoderConfig,
    sink: "Sink",
    account: "Account",
    progress: Progress,
) -> dict[str, Any]:
    """Take the packets to the outputs; returns the figures of the run."""
    from encoder.compiled import CompileWatch
    from encoder.kernels.load import load_kernels

    compilation = CompileWatch(progress.compiling)
    kernels = load_kernels(config.kernels)
    account.begin_frames()
    with _user_kernel_errors(config.kernels):
        for packet in packets:
            account.add(packet, config.psnr)
            with account.writing():
                sink.write(packet)
            progress.frames(account.shown, options.limit, account.frames_s)
    if not account.shown:
        skipped = f" after the first {options.skip}" if options.skip else ""
        raise InputError(f"{options.input}: has no frames{skipped}")
    with account.writing():
        sink.close()
    return account.figures(options, config, kernels, compilation.seconds)


def open_input(name: str, closing: ExitStack) -> Source:
    """Open a Y4M file, `-` for Y4M on standard input, or any other video; a pipe holds Y4M.

    `closing` closes it. Raises InputError where it cannot be read, is no video, or none that we take.
    """
    if name == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("standard input is neither a file nor a pipe: feed it Y4M, or name a file as INPUT")
        return Y4mReader(sys.stdin.buffer, "standard input")
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: is a folder, not a video")
        if stat.S_ISREG(mode) and Path(name).suffix.lower() != ".y4m":
            from encoder.containers import ContainerReader

            return closing.enter_context(ContainerReader(name))
        return Y4mReader(closing.enter_context(open(name, "rb")), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error


class Sink:
    """The outputs of one run: the stream, and where asked for the reconstruction and the figures."""

    def __init__(self, options: argparse.Namespace, config: EncoderConfig, outputs: Outputs) -> None:
        # Before anything is opened: a suffix that we do not know, an output that would replace the input.
        suffix = _output_suffix(options.output)
        names = [options.output, options.reconstruction, options.stats]
        _require_not_input(options.input, names)
        output, reconstruction, stats = (outputs.open(name) if name else None for name in names)
        assert output is not None, "the command line has asked for an output"
        self._writer = _open_writer(output, suffix, config)
        self._reconstruction = (
            Y4mWriter(reconstruction, config.width, config.height, config.fps) if reconstruction else None
        )
        self._stats = stats

    def write(self, packet: "Packet") -> None:
        """Append one temporal unit and its reconstruction."""
        self._writer.write(packet.data, packet.pts, packet.is_key)
        if self._reconstruction:
            self._reconstruction.write(packet.reconstruction)

    def close(self) -> None:
        """Finish the container."""
        self._writer.close()

    def write_stats(self, figures: dict[str, Any]) -> None:
        """Write the figures as JSON, where they are asked for."""
        if self._stats:
            self._stats.write(json.dumps(figures, indent=1, allow_nan=False).encode() + b"\n")


class Account:
    """What one run has spent and got so far.

    frames              per coded frame, what the encoder says of it, and its error against the source where that is measured;
                        kept only where asked for, for they are 1 to 2 KB each
    shown, bytes        temporal units, each of which shows a picture, and their bytes
    input_s, output_s   seconds spent on reading and writing
    """

    def __init__(self, keep_frames: bool) -> None:
        now = time.perf_counter()
        self._process_began = now - _process_age_s()
        self._frames_began = now
        self._hidden: dict[int, dict[str, Any]] = {}  # frames whose pictures have not been shown, by display index
        self._errors: list[list[float]] = []
        self._keep_frames = keep_frames
        self.frames: list[dict[str, Any]] = []
        self.shown = self.bytes = 0
        self.input_s = self.output_s = 0.0

    @property
    def frames_s(self) -> float:
        """Seconds since `begin_frames`."""
        return time.perf_counter() - self._frames_began

    def begin_frames(self) -> None:
        """Start-up is over."""
        self._frames_began = time.perf_counter()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The block writes."""
        from encoder.timeline import span

        began = time.perf_counter()
        with span("write"):
            yield
        self.output_s += time.perf_counter() - began

    def reading(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
        """Pass the pictures on and time their reading; start-up is over when the first one is asked for."""
        from encoder.timeline import span

        self.begin_frames()
        while True:
            began = time.perf_counter()
            with span("read"):
                picture = next(pictures, None)
            self.input_s += time.perf_counter() - began
            if picture is None:
                return
            yield picture

    def add(self, packet: "Packet", measure: bool) -> None:
        """Enter a temporal unit; with `measure`, compare what it shows with its source."""
        self.shown += 1
        self.bytes += len(packet.data)
        for stats in packet.frames:
            frame = dict(stats)
            if self._keep_frames:
                self.frames.append(frame)
            self._hidden[frame["display_index"]] = frame
        shown = self._hidden.pop(packet.pts, None)
        if measure and shown is not None:
            shown["mse"] = quality.mse(packet.source, packet.reconstruction)
            shown["psnr"] = [quality.psnr(error) for error in shown["mse"]]
            self._errors.append(shown["mse"])

    def figures(
        self, options: argparse.Namespace, config: EncoderConfig, kernels: "KernelSet", compile_s: float
    ) -> dict[str, Any]:
        """Everything that --stats writes."""
        total: dict[str, Any] = {"frames": self.shown, "bytes": self.bytes}
        if config.psnr:
            total["psnr_of_mean_mse"] = quality.psnr_of_mean_mse(self._errors)
            total["mean_psnr"] = quality.mean_psnr(self._errors)
        tiling = config.tiling
        total |= {
            "wall_s": time.perf_counter() - self._process_began,
            "start_up_s": self._frames_began - self._process_began,
            "compile_s": compile_s,
            "input_s": self.input_s,
            "output_s": self.output_s,
        }
        return {
            "schema": STATS_SCHEMA,
            "input": options.input,
            "output": options.output,
            "width": config.width,
            "height": config.height,
            "fps": f"{config.fps.numerator}/{config.fps.denominator}",
            "kernels": kernels.name,
            "interpreted": kernels.interpreted,
            "quantizer": config.quantizer,
            "speed": config.speed,
            "keyint": config.keyint,
            "low_latency": config.low_latency,
            "tiles": {"cols": tiling.cols, "rows": tiling.rows, "count": tiling.count},
            "threads": config.threads,
            "frames": self.frames,
            "total": total,
        }


def _config(options: argparse.Namespace, source: Source) -> EncoderConfig:
    return EncoderConfig(
        width=source.width,
        height=source.height,
        fps=source.fps,
        quantizer=options.quantizer,
        speed=options.speed,
        tile_cols_log2=options.tile_cols_log2,
        tile_rows_log2=options.tile_rows_log2,
        threads=options.threads if options.threads is not None else _cores(),
        kernels=options.kernels,
        probe=options.probe,
        psnr=options.psnr,
        full_range=source.full_range,
        keyint=options.keyint,
        min_keyint=options.min_keyint,
        scene_detection=not options.no_scene_detection,
        forced_key_frames=options.force_key,
        low_latency=options.low_latency,
    )


def _output_suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    accepted = [*_OWN_WRITERS, *_CONTAINER_FORMATS]
    if suffix not in accepted:
        seen = f"unknown suffix {suffix!r}" if suffix else "has no suffix"
        raise OutputError(f"{name}: {seen}, accepted: {' '.join(accepted)}")
    return suffix


def _require_not_input(source: str | None, names: list[str | None]) -> None:
    for name in names:
        if source and name and os.path.exists(source) and os.path.exists(name) and os.path.samefile(source, name):
            raise OutputError(f"{name}: is the input, an output needs another name")


def _open_writer(output: BinaryIO, suffix: str, config: EncoderConfig) -> Writer:
    if suffix in _OWN_WRITERS:
        return _OWN_WRITERS[suffix](output, config.width, config.height, config.fps)
    from encoder.containers import ContainerWriter

    return ContainerWriter(output, _CONTAINER_FORMATS[suffix], config.width, config.height, config.fps)


@contextmanager
def _user_kernel_errors(name: str) -> Iterator[None]:
    """What a user's kernel of the set `name` raises, as one line that names the place in the user's file."""
    try:
        yield
    except EncoderError:
        raise
    except Exception as error:
        from encoder.kernels.load import load_kernels

        kernels = load_kernels(name)
        own = {os.path.realpath(origin.rpartition(":")[0]) for origin in kernels.origins.values() if ".py:" in origin}
        for place in reversed(traceback.extract_tb(error.__traceback__)):
            if os.path.realpath(place.filename) in own:
                where = f"{place.filename}:{place.lineno}, {place.name}"
                raise KernelError(
                    f"kernel {kernels.overrides} raised {type(error).__name__}: {error} ({where})"
                ) from error
        raise


def _summary(figures: dict[str, Any], frames_s: float) -> str:
    total = figures["total"]
    frames = total["frames"]
    line = (
        f"{figures['output']}: {frames} frame{'s' if frames > 1 else ''} {figures['width']}x{figures['height']}, "
        f"{total['bytes']} bytes, {frames_s:.2f} s, {frames / frames_s:.2f} frames/s"
    )
    if "mean_psnr" in total:
        line += f"; PSNR Y Cb Cr {_decibels(total['psnr_of_mean_mse'])} dB"
        line += f", mean of frames {_decibels(total['mean_psnr'])} dB"
    if figures["interpreted"]:
        line += "; the kernels ran interpreted"
    return line


def _decibels(planes: list[float | None]) -> str:
    return " ".join("inf" if value is None else f"{value:.2f}" for value in planes)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _process_age_s() -> float:
    """Seconds since this process was started, as Linux knows it to 10 ms; elsewhere the CPU time it has used so far."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.process_time()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
