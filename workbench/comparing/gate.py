"""The gate before any timing: B's kernels hold on their cases, and B writes the streams that A writes; else it is said where they
begin to differ, and which kernel is at fault."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench.analysis.bdrate import RatePoint, bd_rate
from workbench.analysis.culprit import find_culprit
from workbench.analysis.first_difference import first_byte, first_difference
from workbench.errors import OutputsDifferError, SubjectTimeout, WorkbenchError
from workbench.instruments import micro
from workbench.instruments.encode_side import warm_up
from workbench.instruments.gate import Figures, Setting, Streams, Written, figures
from workbench.sides import Encode
from workbench.subject import Subject

SHORT = 17  # frames: a key frame and a whole group of pictures
SHORT_INTERPRETED = 2  # of a walk that is a thousand times slower
TILES = ((0, 0), (1, 0), (1, 1))
MOST_BYTES = 1 << 29  # of the reconstruction of a whole clip; the streams of longer ones are compared as they are timed
DECODING_S = 120.0  # at the least; --timeout is meant for what is measured
QUANTIZERS = (60, 100, 140, 180)
_SUPERBLOCK = 64
_REFERENCE = "python"

Pair = tuple[Subject, Encode, Encode]
Tell = Callable[[str], None]
"""Is told what is done next."""


def check(pairs: Sequence[Pair], folder: Path, timeout_s: float, tell: Tell, may_differ: bool = False) -> None:
    """Let the encodes of A and B pass, a pair for each clip, or raise OutputsDifferError. Compiles what is not on disk yet.

    Kernels: the slots that differ hold on their cases; streams are equal with all tile counts that the picture is large enough
    for, and decode to their reconstruction. Other subjects of our encoder: streams as the options have them. Two runs of B are
    equal. Not looked at here: other programs, whose streams are compared as they are timed; with `may_differ`, everything.
    Also raises InputError for kernels and options that the encoder does not take, SubjectError, SubjectTimeout.
    """
    encodes = [encode for _, *both in pairs for encode in both]
    if may_differ:
        _compile(encodes, tell)
        return
    chosen = [pair for pair in pairs if _is_looked_at(*pair[1:])]
    wrong = _wrong_on_cases(chosen, timeout_s, tell)
    try:
        _compile(encodes, tell)
        for subject, base, candidate in chosen:
            with (
                TemporaryDirectory(dir=folder) as own,
                Streams((base, candidate), Path(own), max(timeout_s, DECODING_S)) as streams,
            ):
                _Clip(subject, base, candidate, streams, tell).check()
    except WorkbenchError as error:
        if wrong:
            raise OutputsDifferError(f"{wrong}; {error}") from error
        raise
    if wrong:
        raise OutputsDifferError(f"{wrong}; the streams of these clips are equal all the same; no speed is given")


def _compile(encodes: Sequence[Encode], tell: Tell) -> None:
    """Make compiled code, so that no run pays for it."""
    compiled = [encode for encode in encodes if encode.compiled]
    for encode in {(encode.home, encode.kernels): encode for encode in compiled}.values():
        tell(f"compiled code of {encode.title}; the first time, it is made")
        warm_up(encode)


def _is_looked_at(base: Encode, candidate: Encode) -> bool:
    """Whether both are encodes by our encoder, and not the same one twice."""
    ours = all(encode.home is not None and not encode.whole for encode in (base, candidate))
    return ours and dataclasses.replace(base, title="") != dataclasses.replace(candidate, title="")


# --- kernels ----------------------------------------------------------------------------------------------------------


def are_variants(base: Encode, candidate: Encode) -> bool:
    """Whether nothing but the kernels differs, so that the streams have to be equal."""
    return base.home == candidate.home and _without_kernels(base) == _without_kernels(candidate)


def _without_kernels(encode: Encode) -> list[str]:
    words = encode.arguments
    return [word for before, word in zip(("", *words), words, strict=False) if before != "--kernels"]


def sources(kernels: str) -> tuple[str, dict[str, str]]:
    """A kernel expression in parts: the set, and what fills single slots instead."""
    base, *overrides = (part.strip() for part in kernels.split(","))
    return base, {slot: source for slot, _, source in (override.partition("=") for override in overrides)}


def changed_slots(base: str, candidate: str) -> list[str]:
    """The slots that two kernel expressions fill from different sources, in the order of the table."""
    from encoder.kernels.table import SLOTS

    (set_a, own_a), (set_b, own_b) = sources(base), sources(candidate)
    return [slot for slot in SLOTS if own_a.get(slot, set_a) != own_b.get(slot, set_b)]


def exchanged(base: str, candidate: str, slots: Sequence[str]) -> str:
    """The expression of A with these slots as B has them."""
    (set_a, own_a), (set_b, own_b) = sources(base), sources(candidate)
    filled = own_a | {slot: own_b.get(slot, set_b) for slot in slots}
    return ",".join([set_a, *(f"{slot}={source}" for slot, source in filled.items() if source != set_a)])


def _wrong_on_cases(pairs: Sequence[Pair], timeout_s: float, tell: Tell) -> str:
    """What B's kernels do otherwise than the reference on the cases of their slots; empty when nothing. Raises OutputsDifferError
    at once for a kernel that crashes or hangs, which no encode should be tried with."""
    variants = {(a.kernels, b.kernels): b for _, a, b in pairs if are_variants(a, b)}
    for (base, candidate), encode in variants.items():
        tell(f"cases of the kernels of {encode.title}")
        wrong = _checked(encode, candidate, changed_slots(base, candidate), timeout_s)
        if not wrong:
            continue
        first = wrong[0]
        slots = (
            " and ".join(item.slot for item in wrong) if len(wrong) <= 3 else f"{first.slot} and {len(wrong) - 1} more"
        )
        said = f"{slots} of {candidate} {'differs' if len(wrong) == 1 else 'differ'} from the reference"
        ended = next((item for item in wrong if not item.origin), None)
        if ended is not None:
            raise OutputsDifferError(f"{said}, so no speed is given: {ended.slot}: {ended.differences[0]}")
        return f"{said}, first in {first.differences[0]}"
    return ""


def _checked(encode: Encode, kernels: str, slots: Sequence[str], timeout_s: float) -> list[micro.Checked]:
    """Those of the slots that differ from the reference on their cases."""
    assert encode.home is not None
    base, own = sources(kernels)
    slots = [slot for slot in slots if own.get(slot, base) != _REFERENCE]
    if not slots or encode.home.python != sys.executable:
        return []
    checked = micro.check(kernels, slots, 0, encode.home.environment, timeout_s)
    return [item for item in checked if item.differences]


# --- streams ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Clip:
    """The streams of one clip."""

    subject: Subject
    base: Encode
    candidate: Encode
    streams: Streams
    tell: Tell

    def check(self) -> None:
        """Write and compare. Raises OutputsDifferError."""
        for number, setting in enumerate(self._settings()):
            self.tell(f"streams of {self.subject.clip}, {setting}")
            base, candidate = (self.streams.write(encode, setting) for encode in (self.base, self.candidate))
            if number == 0:
                self._require_repeatable("B", self.candidate, setting, candidate)
            if base.digests != candidate.digests:
                self._require_repeatable("A", self.base, setting, base)
                self._require_repeatable("B", self.candidate, setting, candidate)
                raise OutputsDifferError(self._difference(setting, base, candidate))
            if fault := self.streams.fault(base):
                raise OutputsDifferError(f"{self._where(setting)}: the stream of A, and of B, does not decode: {fault}")

    def _settings(self) -> list[Setting]:
        """Short ones first, then the whole clip."""
        whole = min(encode.frames or self.subject.frames for encode in (self.base, self.candidate))
        is_compiled = self.base.compiled and self.candidate.compiled
        short = min(whole, SHORT if is_compiled else SHORT_INTERPRETED)
        settings = [Setting(short)]
        if are_variants(self.base, self.candidate):
            own = (self.subject.tile_cols_log2, self.subject.tile_rows_log2)
            settings += [Setting(short, tiles) for tiles in TILES if tiles != own and self._is_large_enough(tiles)]
        if is_compiled and whole > short and whole * self._picture_bytes() <= MOST_BYTES:
            settings.append(Setting(whole))
        return settings

    def _is_large_enough(self, tiles: tuple[int, int]) -> bool:
        sides = (self.subject.width, self.subject.height)
        return all(side > _SUPERBLOCK for side, log2 in zip(sides, tiles, strict=True) if log2)

    def _picture_bytes(self) -> int:
        return self.subject.width * self.subject.height * 3 // 2

    def _where(self, setting: Setting) -> str:
        return f"{self.subject.clip}, {setting}"

    def _require_repeatable(self, side: str, encode: Encode, setting: Setting, written: Written) -> None:
        if self.streams.write(encode, setting).digests != written.digests:
            raise OutputsDifferError(
                f"{self._where(setting)}: two runs of {side}, {encode.title}, write different streams: it is not deterministic, "
                "so no speed is given"
            )

    def _difference(self, setting: Setting, base: Written, candidate: Written) -> str:
        what = f"{self._where(setting)}: {self._what_differs(base, candidate)}"
        if not are_variants(self.base, self.candidate):
            return f"{what}; no speed is given; where that is meant, --allow-different"
        try:
            fault = self._kernel_at_fault(setting, base)
        except SubjectTimeout as hung:
            fault = f"which kernel is at fault cannot be found: {hung}"
        return f"{what}; {fault}; no speed is given"

    def _what_differs(self, base: Written, candidate: Written) -> str:
        for side, written in (("A", base), ("B", candidate)):
            if fault := self.streams.fault(written):
                return f"the stream of {side} does not decode to its reconstruction: {fault}"
        try:
            pictures = first_difference(base.pictures(), candidate.pictures(), base.coding_order())
        except ValueError as error:
            return f"B shows other frames than A: {error}"
        if pictures is not None:
            return f"the reconstruction of B differs from A's, first in {pictures}"
        packet, byte = first_byte(base.packets(), candidate.packets()) or (0, 0)
        return f"B writes other bytes for the same pictures, first in the packet of frame {packet}, byte {byte}"

    # --- exchange of slots

    def _kernel_at_fault(self, setting: Setting, base: Written) -> str:
        slots = changed_slots(self.base.kernels, self.candidate.kernels)
        if len(slots) == 1:
            return f"the kernel at fault is {slots[0]}, the only one that differs{self._whose(slots[0])}"
        setting, base = self._shorter(setting, base)

        def differs(group: Sequence[str]) -> bool:
            self.tell(f"which kernel is at fault: {len(group)} of {len(slots)} of B's in A")
            return self._differs(base, self.base, setting, exchanged(self.base.kernels, self.candidate.kernels, group))

        found = find_culprit(slots, differs)
        if found.slot is None:
            together = ", ".join(found.group) if len(found.group) <= 8 else f"{len(found.group)} slots"
            return f"no single kernel is at fault: A with any one of B's slots writes its own stream, with {together} another one"
        others = ", others are as well" if found.others else ""
        trials = f"{found.trials} exchanges"
        return f"the kernel at fault is {found.slot}, alone{others}, by {trials} of slots{self._whose(found.slot)}"

    def _shorter(self, setting: Setting, base: Written) -> tuple[Setting, Written]:
        """One frame, if that shows the difference as well."""
        one = dataclasses.replace(setting, frames=1)
        first = self.streams.write(self.base, one)
        return (one, first) if self._differs(first, self.candidate, one) else (setting, base)

    def _differs(self, base: Written, encode: Encode, setting: Setting, kernels: str | None = None) -> bool:
        """Whether an encode does otherwise than A; what dies does."""
        try:
            return self.streams.write(encode, setting, kernels).digests != base.digests
        except SubjectTimeout:  # which leaves no process to ask again
            raise
        except WorkbenchError:
            return True

    def _whose(self, slot: str) -> str:
        """What the cases of a slot say of A's kernel, which is not checked before; B's was."""
        wrong = _checked(self.base, self.base.kernels, [slot], DECODING_S)
        return f" (and it is A's that differs from the reference: {wrong[0].differences[0]})" if wrong else ""


# --- where streams may differ -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Quality:
    """What A and B write, to stand beside the speed.

    bd_rate   mean difference of bytes at equal PSNR of luma, over QUANTIZERS, as a share: -0.05 says that B takes 5 % less; None
              where a side takes no quantizer from us, or the curves have no quality in common: `why`
    """

    base: Figures
    candidate: Figures
    bd_rate: float | None
    why: str = ""

    @property
    def bytes_ratio(self) -> float:
        """Of B over A."""
        return self.candidate.bytes / self.base.bytes

    @property
    def psnr_y_delta(self) -> float | None:
        """B's less A's, in dB."""
        if self.base.psnr_y is None or self.candidate.psnr_y is None:
            return None
        return self.candidate.psnr_y - self.base.psnr_y


def quality(
    pair: Pair, at: Callable[[int], tuple[Encode, Encode]] | None, folder: Path, timeout_s: float, tell: Tell
) -> Quality:
    """Encode, decode and measure both sides of a clip; at(quantizer) gives their encodes with another quantizer, as far as they
    take one. Raises SubjectError, SubjectTimeout, InputError, and OutputsDifferError for a stream that does not decode."""
    subject, *sides = pair

    def measured(encode: Encode) -> Figures:
        return figures(encode, subject.source, folder, max(timeout_s, DECODING_S))

    tell(f"bytes and quality of {subject.clip}")
    base, candidate = map(measured, sides)
    at_all = [] if at is None else [at(quantizer) for quantizer in QUANTIZERS]
    taking = [len({encode.words for encode in encodes}) == len(QUANTIZERS) for encodes in zip(*at_all, strict=True)]
    if not taking or not all(taking):
        return Quality(base, candidate, None, "a side takes no quantizer of ours: no BD-rate")
    curves: tuple[list[RatePoint], list[RatePoint]] = ([], [])
    for quantizer, encodes in zip(QUANTIZERS, at_all, strict=True):
        tell(f"BD-rate of {subject.clip}, quantizer {quantizer}")
        for curve, found in zip(curves, map(measured, encodes), strict=True):
            if found.psnr_y is not None:
                curve.append(RatePoint(found.bytes, found.psnr_y))
    rate = bd_rate(*curves)
    why = "PSNR does not rise with the bytes, or the sides have none in common: no BD-rate"
    return Quality(base, candidate, rate, "" if rate is not None else why)
