"""The command `encoder`: options in, one line out, and an exit status.

0 fine · 2 usage or bad input · 5 the machine (full disk, no memory) · 130 interrupted.
Errors are one line on standard error. What takes time to import is imported after the options have been understood.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from encoder.config import DEFAULT_KERNELS
from encoder.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, EncoderError

_EPILOG = """\
INPUT is a Y4M file, - for Y4M on standard input, or any video that FFmpeg reads; 8-bit 4:2:0, 8x8 to 4096x2304.
The suffix of OUTPUT chooses its format: .ivf .obu .mp4 .mkv .webm.
Output files appear when they are whole, or not at all.

examples:
  encoder clip.y4m -o clip.ivf
  encoder clip.mp4 -o clip.webm --quantizer 60 --tile-cols-log2 1 --psnr
  encoder clip.y4m -o clip.ivf --keyint 60 --force-key 17,200
  ffmpeg -i clip.mov -pix_fmt yuv420p -f yuv4mpegpipe - | encoder - -o clip.mkv
  encoder clip.y4m -o clip.ivf --kernels numba,satd=mine.py:satd_fast

exit status: 0 fine, 2 usage or bad input, 5 environment (full disk, no memory), 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (those of the process by default) and return its exit status."""
    try:
        options = _parse(argv)
    except SystemExit as stop:  # argparse has printed the help, or what is wrong
        return int(stop.code or EXIT_OK)
    try:
        with _terminate_as_interrupt():
            summary = _run(options)
            if not options.quiet:
                _print(summary)
        return EXIT_OK
    except EncoderError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted, nothing is written", EXIT_INTERRUPTED)
    except MemoryError:
        return _fail("not enough memory for this picture size", EXIT_ENVIRONMENT)
    except OSError as error:
        subject = f"{error.filename}: " if error.filename else ""
        return _fail(f"{subject}{error.strerror or error}", EXIT_ENVIRONMENT)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.version:
        parser.exit(EXIT_OK, f"encoder {_version()}\n")
    fault = _usage_fault(options)
    if fault:
        parser.error(fault)
    return options


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("encoder-workbench")
    except PackageNotFoundError:
        return "of a source tree that is not installed"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="encoder",
        usage="encoder INPUT -o OUTPUT [options]\n       encoder --warm [--kernels SET]",
        description="Encode video as AV1.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("input", metavar="INPUT", nargs="?", help="video to encode, - for Y4M on standard input")
    parser.add_argument("-o", "--output", metavar="OUTPUT", help="file to write: .ivf .obu .mp4 .mkv .webm")
    parser.add_argument("-y", "--overwrite", action="store_true", help="replace output files that exist")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--version", action="store_true", help="print the version and exit")

    coding = parser.add_argument_group("coding")
    _add_number(coding, "--quantizer", 100, "1 (finest) to 255; default 100")
    _add_number(
        coding, "--speed", 10, "0 (smallest files) to 10 (fastest): presets change at 4, 6, 7 and 9; default 10"
    )
    _add_number(coding, "--tile-cols-log2", 0, "cut into at most 2**N tile columns; default 0")
    _add_number(coding, "--tile-rows-log2", 0, "cut into at most 2**N tile rows; default 0")
    _add_number(
        coding,
        "--threads",
        None,
        "code frames, tiles, filter rows at the same time; from 2 on, the next ones are prepared meanwhile; default: one per core",
    )
    _add_number(coding, "--skip", 0, "leave out the first N frames of the input; default 0")
    _add_number(coding, "--limit", None, "encode at most N frames; default: all")

    _add_structure(parser.add_argument_group("structure"))

    kernels = parser.add_argument_group("kernels")
    kernels.add_argument(
        "--kernels",
        metavar="SET",
        default=DEFAULT_KERNELS,
        help="simd (default), numba, numpy or python, also with single kernels replaced: simd,SLOT=FILE.py:FUNCTION; "
        "the bytes are the same with all of them",
    )
    kernels.add_argument("--warm", action="store_true", help="compile everything into the cache and exit; no INPUT")

    figures = parser.add_argument_group("figures")
    figures.add_argument("--psnr", action="store_true", help="measure every frame against its source")
    figures.add_argument("--reconstruction", metavar="REC.y4m", help="write what a decoder will show")
    figures.add_argument("--stats", metavar="FILE.json", help="write bytes, times and PSNR, per frame and in total")
    figures.add_argument("--probe", action="store_true", help="time the stages inside each tile, for --stats")
    figures.add_argument(
        "--stress", metavar="SEED", type=int, help="for tests: draw pictures and every decision at random; no INPUT"
    )
    return parser


def _add_number(group: argparse._ArgumentGroup, name: str, default: int | None, meaning: str) -> None:
    group.add_argument(name, metavar="N", type=int, default=default, help=meaning)


def _add_structure(group: argparse._ArgumentGroup) -> None:
    _add_number(group, "--keyint", 240, "a key frame every N frames at least; 1: every frame, 0: no limit; default 240")
    _add_number(
        group, "--min-keyint", None, "no key frame for a new scene before N frames; default 12, or --keyint if less"
    )
    group.add_argument("--no-scene-detection", action="store_true", help="no key frames for new scenes")
    group.add_argument(
        "--force-key",
        metavar="LIST",
        type=_frame_numbers,
        default=(),
        help="frames that become key frames in any case: numbers from 0 on, of what is encoded, with commas between",
    )
    group.add_argument(
        "--low-latency", action="store_true", help="code frames in the order in which they are shown; takes more bytes"
    )


def _frame_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of frame numbers like 0,30,75") from None


def _usage_fault(options: argparse.Namespace) -> str | None:
    """What is wrong with the combination of options, or None."""
    if options.warm:
        return "--warm takes no INPUT and no OUTPUT" if options.input or options.output else None
    if options.stress is not None and (options.input or options.skip or options.limit is not None or options.psnr):
        return "--stress draws its own pictures: leave out INPUT, --skip, --limit and --psnr"
    if options.stress is None and not options.input:
        return "no INPUT is given"
    if not options.output:
        return "no output is given: add -o OUTPUT"
    if options.skip < 0:
        return f"--skip is {options.skip}, accepted: 0 or more frames"
    if options.limit is not None and options.limit < 1:
        return f"--limit is {options.limit}, accepted: 1 or more frames"
    return None


def _run(options: argparse.Namespace) -> str:
    from encoder import job

    progress = Progress(options.quiet)
    try:
        if options.warm:
            return job.warm(options, progress)
        return job.encode_files(options, progress)
    finally:
        progress.clear()


class Progress:
    """One line on standard error that is written over as work goes on; nothing where that is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self._on = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._compiled = 0

    def compiling(self, function: str) -> None:
        """The compilation of a function begins."""
        self._compiled += 1
        self._show(f"compiling, once: function {self._compiled}, {function}")

    def frames(self, done: int, total: int | None, elapsed_s: float) -> None:
        """`done` frames of `total`, where it is known, are encoded after `elapsed_s`."""
        of = f"/{total}" if total else ""
        self._show(f"frame {done}{of}, {done / max(elapsed_s, 1e-9):.2f} frames/s")

    def clear(self) -> None:
        """Take the line away."""
        self._show("")

    def _show(self, text: str) -> None:
        if self._on:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
            sys.stderr.flush()


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try again to get rid of the text when it ends, and complain in its own words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # that nobody reads the line does not make the files worse
            raise


def _fail(message: str, status: int) -> int:
    print("encoder:", " ".join(message.split()), file=sys.stderr)
    return status


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal unwind as Ctrl-C does, so that half-written files are taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
