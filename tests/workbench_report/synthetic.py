"""Run folders as `workbench profile` writes them, from a seed: the figures are plausible, and the tests know them."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {
    "pan": (640, 360),
    "cut": (640, 360),
    "text": (640, 360),
    "water": (640, 360),
    "gradient": (352, 288),
    "flat": (176, 144),
}
BUSY = {"pan": 1.0, "cut": 1.0, "text": 0.9, "water": 1.4, "gradient": 0.6, "flat": 0.25}
SECONDS_PER_SAMPLE = 4.1e-7
START_UP_S = 1.31
PARALLEL_SHARE = 0.90
FRAMES = 8
SLOWER = {"numba": 1, "numpy": 40, "python": 400}
MACHINE = {
    "cpu": "Example Processor 9000 @ 2.60GHz",
    "cores": 2,
    "memory_bytes": 8 << 30,
    "hypervisor": True,
    "governor": None,
    "kernel": "6.18.0",
    "python": "3.11.7",
    "numpy": "2.4.6",
    "numba": "0.68.1",
    "llvmlite": "0.50.0",
    "packages_hash": "0123456789abcdef",
    "hash": "fedcba9876543210",
    "load_average": [1.2, 0.9, 0.8],
}
TILE_STAGES = {"decision": 0.52, "reconstruction": 0.16, "entropy": 0.15, "rest of the tile": 0.04}
SERIAL_STAGES = {
    "lookahead": 0.006,
    "motion": 0.009,
    "deblocking": 0.04,
    "cdef": 0.06,
    "restoration": 0.005,
    "headers": 0.002,
    "rest of the frame": 0.008,
}
STAGES = TILE_STAGES | SERIAL_STAGES
# type, layer, frames, hidden, share of the bytes, share of the time
KINDS = (
    ("key", 0, 1, 0, 0.6, 0.3),
    ("inter", 0, 1, 1, 0.25, 0.2),
    ("inter", 1, 2, 2, 0.1, 0.2),
    ("inter", 2, 4, 0, 0.05, 0.3),
)
BITS = {"partition": 0.05, "mode": 0.15, "motion": 0.2, "coefficients_y": 0.6}
ROOT = "thread main;encode (encoder/stream.py:40);encode_frame (encoder/frame/frame.py:77)"
SATD = "set_numba.satd (encoder/kernels/set_numba/distortion.py)"
SATD_SOURCE = (
    "def satd(a, b):",
    "    total = 0",
    "    for row in range(8):",
    "        total += _row(a, b, row)",
    "    return total",
)
TILE = f"{ROOT};tile.walk.encode_tile"
SEARCH = f"{TILE};tile.partition.search_partition"
STACKS = {  # mean number of samples in a clip
    f"{SEARCH};tile.decision.try_modes;{SATD.replace(')', ':43)')}": 150,
    f"{SEARCH};tile.decision.try_modes;{SATD.replace(')', ':42)')}": 40,
    f"{SEARCH};tile.decision.try_modes;{SATD.replace(')', ':43)')};_row [inlined] (encoder/kernels/set_numba/distortion.py:9)": 30,
    f"{SEARCH};tile.decision.try_modes;set_numba.intra_directional": 120,
    f"{SEARCH};tile.decision.try_modes;set_numba.intra_smooth": 55,
    f"{SEARCH};tile.decision.rd_cost;set_numba.forward_transform": 110,
    f"{SEARCH};tile.decision.rd_cost;set_numba.quantize": 60,
    f"{SEARCH};tile.decision.rd_cost;set_numba.inverse_transform": 85,
    f"{SEARCH};tile.decision.rd_cost": 25,
    SEARCH: 12,
    f"{TILE};tile.syntax.write_block;tile.residual.write_coefficients;tile.symbol.write_symbol": 95,
    f"{TILE};tile.syntax.write_block;tile.residual.write_coefficients": 48,
    f"{TILE};tile.syntax.write_block": 18,
    f"{ROOT};deblock_frame (encoder/frame/filters.py:20);set_numba.deblock_edge": 52,
    f"{ROOT};cdef_frame (encoder/frame/filters.py:31);set_numba.cdef_filter": 60,
    f"{ROOT};cdef_frame (encoder/frame/filters.py:28);set_numba.cdef_direction": 17,
    f"{ROOT};write_headers (encoder/frame/headers.py:200)": 3,
    "thread main;encode (encoder/stream.py:44);readinto (encoder/y4m.py:12)": 9,
}
STEPS = ("select", "check", "time", "spans", "stacks", "memory", "largest", "tiles")
# Of the timeline, microseconds of a frame on the main thread and on each of two workers.
MOTION_US, TILE_US, CDEF_US = 200, (600, 400), 100
ALIVE = 5_000_000, 7_000_000
"""Bytes alive over the steady state, most of the time and at the peak."""

RecordLine = dict[str, Any]


def build_run(
    folder: Path,
    *,
    clips: Collection[str] = tuple(SIZES),
    kernels: Collection[str] = ("numba",),
    tile_clips: Collection[str] = ("pan",),
    seed: int = 1,
    repetitions: int = 10,
    scale: float = 1.0,
    bytes_scale: float = 1.0,
    machine: dict[str, Any] | None = None,
    sources: str = "0011223344556677",
    end: str | None = "complete",
    without: Collection[str] = (),
) -> Path:
    """Write a run folder and return it.

    scale     multiplies every time of frames, bytes_scale every size
    machine   entries that differ from MACHINE
    sources   digest of the encoder's sources
    end       status of the last line; None leaves the line out, as a killed run does
    without   STEPS to leave out
    """
    builder = Builder(np.random.RandomState(seed), repetitions, scale, bytes_scale)
    header = {
        "schema": 1,
        "kind": "run",
        "verb": "profile",
        "arguments": ["corpus/", "--clips", ",".join(clips)],
        "machine": MACHINE | (machine or {}),
        "encoder_sources": sources,
        "started": "2026-11-21T09:30:00+00:00",
    }
    lines: list[RecordLine] = [header]
    for step in STEPS:
        if step not in without:
            about = tile_clips if step == "tiles" else clips
            records = getattr(builder, step)(list(about), list(kernels))
            lines += [{"kind": "record", "schema": 1, **record} for record in records]
    if end is not None:
        lines.append({"kind": "end", "status": end, "wall_s": 231.4})
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def per_frame_s(clip: str, scale: float = 1.0) -> float:
    """Seconds of a frame before noise, kernel set numba."""
    width, height = SIZES[clip]
    return width * height * SECONDS_PER_SAMPLE * BUSY[clip] * scale


def stream_bytes(clip: str) -> int:
    """Bytes of a stream of FRAMES frames."""
    return int(per_frame_s(clip) * 9e4) * FRAMES


def subject_of(clip: str, kernels: str, frames: int = FRAMES, **more: Any) -> dict[str, Any]:
    """A record's subject."""
    width, height = SIZES[clip]
    size = {"width": width, "height": height, "frames": frames}
    return {"clip": clip, **size, "kernels": kernels, "tiles": 1, "threads": 1, "quantizer": 100, **more}


def record_of(
    instrument: str,
    metric: str,
    unit: str,
    subject: dict[str, Any],
    values: Iterable[float],
    data: dict[str, Any] | None = None,
) -> RecordLine:
    """A record's line without its kind and schema."""
    command = ["encoder", f"{subject['clip']}.y4m", "-o", "out.ivf", "-y"] if "clip" in subject else []
    about = {"instrument": instrument, "metric": metric, "unit": unit, "subject": subject, "values": list(values)}
    return {**about, "data": data or {}, "warnings": [], "command": command}


def kind_of(
    size: int, wall_s: float, type_: str, layer: int, frames: int, hidden: int, bytes_share: float, time_share: float
) -> dict[str, Any]:
    """The frames of one kind in a stream of so many bytes that took so many seconds."""
    part = int(size * bytes_share)
    bits = {name: 8 * part * share for name, share in BITS.items() if type_ == "inter" or name != "motion"}
    return {
        "type": type_,
        "layer": layer,
        "frames": frames,
        "hidden": hidden,
        "bytes": part,
        "wall_s": wall_s * time_share,
        "bits": bits,
        "quantizer": 100.0 + 20 * layer,
        "psnr_y": 40.0 - layer if size else None,
        "block_sizes": {"8x8": 0.25, "64x64": 0.75},
        "modes": {"NEWMV": 0.998, "DC": 0.002} if type_ == "inter" else {"DC": 1.0},
    }


def timeline_data(frames: int) -> dict[str, Any]:
    """A main thread that searches motion, hands a tile to each of two workers, waits and filters, frame after frame."""
    names = ("frame", "motion", "wait for tiles", "tile", "cdef")
    rows, marks = [], []
    for number in range(frames):
        begin = number * 1000 * (MOTION_US + max(TILE_US) + CDEF_US)
        tiles = begin + 1000 * MOTION_US
        filters = tiles + 1000 * max(TILE_US)
        end = filters + 1000 * CDEF_US
        rows += [
            (0, 0, begin, end, number, -1, -1),
            (0, 1, begin, tiles, -1, -1, -1),
            (0, 2, tiles, filters, -1, -1, -1),
        ]
        rows += [(0, 4, filters, end, -1, -1, -1)]
        rows += [(1 + at, 3, tiles, tiles + 1000 * spent, number, at, -1) for at, spent in enumerate(TILE_US)]
        marks += [{"name": "in", "frame": number, "at_ns": begin}, {"name": "out", "frame": number, "at_ns": end}]
    rows.sort(key=lambda row: (row[0], row[2], -row[3]))
    columns = ("lane", "name", "begin_ns", "end_ns", "frame", "tile", "place")
    known = {"type": "inter", "layer": 0, "bytes": 9, "shown": True, "wall_s": 1.0}
    return {
        "lanes": ["main", "tile worker 1", "tile worker 2"],
        "names": names,
        "waits": ["wait for tiles"],
        "spans": {column: [row[at] for row in rows] for at, column in enumerate(columns)},
        "marks": marks,
        "detail": "tile",
        "frames": [{"display_index": number, **known} for number in range(frames)],
        "lost": 0,
        "clock_off_ns": 0,
        "interpreted": False,
        "threads": 2,
        "tiles": 2,
    }


class Builder:
    """The records of each step."""

    def __init__(self, random: np.random.RandomState, repetitions: int, scale: float, bytes_scale: float) -> None:
        self.random, self.repetitions, self.scale, self.bytes_scale = random, repetitions, scale, bytes_scale

    def noisy(self, value: float, count: int, noise: float = 0.02) -> list[float]:
        """Repetitions with a tail to the right, as clocks give them."""
        return [float(sample) for sample in value * (1 + noise * np.abs(self.random.standard_normal(count)))]

    def select(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        left, records = 2600, []
        for order, clip in enumerate(clips):
            new = int(left * (0.93 if order == 0 else 0.45))
            chosen = new > 8
            left -= new if chosen else 0
            seconds = 1.7 + 0.6 * order
            data = {"seconds": seconds, "new_items": new if chosen else 0, "new_per_s": new / seconds}
            data |= {"chosen": chosen, "order": order if chosen else None}
            subject = {"clip": clip, "kernels": "python"}
            records.append(record_of("coverage", "lines_and_branches", "count", subject, [2418 - 40 * order], data))
        files = {"tile/residual.py": [[201, 214], [240, 240]], "frame/headers.py": [[88, 91]]}
        never = {"files": files, "total_items": 2680, "covered_items": 2600 - left}
        return [*records, record_of("coverage", "never_reached", "count", {"kernels": "python"}, [80 + left], never)]

    def check(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        records = []
        for clip in clips:
            for name in kernels:
                subject = subject_of(clip, name)
                verdict = {
                    "decoder": "libdav1d",
                    "sha256": f"{stream_bytes(clip):064x}",
                    "message": "",
                    "frames": FRAMES,
                }
                quality = {"psnr_of_mean_mse": [38.0, 41.0, 41.5], "mean_psnr": [38.1, 41.0, 41.6]}
                size = int(stream_bytes(clip) * self.bytes_scale)
                records.append(record_of("output", "decodes", "", subject, [1.0], verdict))
                records.append(record_of("output", "bytes", "bytes", subject, [size]))
                records.append(record_of("output", "psnr_y", "dB", subject, [38.0 + len(clip) / 3], quality))
                wall_s = FRAMES * per_frame_s(clip, self.scale) * SLOWER[name]
                kinds = {"kinds": [kind_of(size, wall_s, *kind) for kind in KINDS]}
                records.append(record_of("output", "frame_kinds", "count", subject, [FRAMES], kinds))
        for clip in clips:
            sets = {name: f"{stream_bytes(clip):064x}" for name in ("numba", "numpy", "python")}
            tiny = {"clip": f"{clip}_tiny", "width": 48, "height": 48, "frames": 3, "kernels": kernels[0]}
            data = {"sets": sets, "frames": 3, "width": 48, "height": 48}
            records.append(record_of("output", "sets_agree", "", tiny, [1.0], data))
        return records

    def time(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        return [record for clip in clips for name in kernels for record in self._times_of(clip, name)]

    def _times_of(self, clip: str, kernels: str) -> list[RecordLine]:
        """The fourth repetition of water is disturbed."""
        frame_s = per_frame_s(clip, self.scale) * SLOWER[kernels]
        start = subject_of(clip, kernels, 3, width=8, height=8)
        whole = subject_of(clip, kernels)
        records = []
        for subject, frames in ((start, 0), (whole, FRAMES)):
            walls = self.noisy(START_UP_S + frames * frame_s, self.repetitions)
            wall = record_of("wall", "wall", "s", subject, walls)
            if clip == "water" and frames and self.repetitions > 3:
                walls[3] *= 1.6
                said = (
                    "repetition 4 took 4.28 s, the median is 2.69 s: another program was busy? close what runs beside"
                )
                wall |= {"values": walls, "warnings": [said]}
            records.append(wall)
            records.append(record_of("wall", "cpu", "s", subject, [0.985 * value for value in walls]))
        resident = 168e6 + 40 * SIZES[clip][0] * SIZES[clip][1]
        sizes = [float(int(size)) for size in self.noisy(resident, self.repetitions)]
        records.append(record_of("wall", "max_rss", "bytes", whole, sizes))
        samples = self.noisy(frame_s, self.repetitions)
        if clip == "water" and self.repetitions > 3:
            samples[3] *= 1.6
        data = {"start_up_s": START_UP_S, "n1": 3, "n2": FRAMES}
        return [*records, record_of("wall", "time_per_frame", "s", whole, samples, data)]

    def spans(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        return [self._spans_of(clip, kernels[0], tiles) for clip in clips for tiles in (1, 4)]

    def _spans_of(self, clip: str, kernels: str, tiles: int) -> RecordLine:
        total = per_frame_s(clip, self.scale) * FRAMES
        parallel = {stage: total * share for stage, share in TILE_STAGES.items()}
        serial = {stage: total * share for stage, share in SERIAL_STAGES.items()} | {"input": 0.004, "output": 0.001}
        weights = self.random.uniform(0.8, 1.2, tiles)
        weights /= weights.sum()
        by_tile = [
            {"index": at, "stages": {stage: float(weight) * spent for stage, spent in parallel.items()}}
            for at, weight in enumerate(weights)
        ]
        wall_s = sum(parallel.values()) + sum(serial.values())
        data = {"stages": parallel | serial, "tiles": by_tile, "serial": serial, "parallel": parallel, "wall_s": wall_s}
        return record_of("spans", "stage_s", "s", subject_of(clip, kernels, tiles=tiles), [wall_s], data)

    def stacks(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        records = []
        for clip in clips:
            counts = {stack: int(self.random.poisson(mean)) for stack, mean in STACKS.items()}
            folded = {stack: count for stack, count in counts.items() if count}
            place = {
                "function": "set_numba.satd",
                "path": "encoder/kernels/set_numba/distortion.py",
                "label": "set_numba.satd",
            }
            source = {**place, "first": 40, "lines": SATD_SOURCE, "missing": ""}
            about = {"source": "sampler", "rate_hz": 250, "seconds": 5.2, "frames": 48, "unnamed_share": 0.002}
            data = {"folded": folded, **about, "sources": [source]}
            records.append(
                record_of("stacks", "samples", "count", subject_of(clip, kernels[0]), [sum(folded.values())], data)
            )
        return records

    def memory(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        sites = [
            {"site": "tile/walk.py:61 encode_tile", "count": 40, "bytes": 40 * 65536},
            {"site": "encoder/stream.py:44 encode", "count": 16, "bytes": 16 * 4096},
            {"site": "frame/obu.py:12 write_obu", "count": 24, "bytes": 24 * 1500},
        ]
        records = []
        for clip in clips:
            subject = subject_of(clip, kernels[0], 5)
            peak = 5.2e6 + 3 * SIZES[clip][0] * SIZES[clip][1]
            curve = {"step": 20, "counts": [50, 90, 50, 50], "bytes": [ALIVE[0], ALIVE[1], ALIVE[0], ALIVE[0]]}
            marks = [[0, 0, 0], [20, 0, 0], [40, 0, 0], [60, 0, 0], [80, 0, 0]]
            data = {"frames": 4, "warm_up": 17, "top_sites": sites, "curve": curve, "marks": marks}
            data |= {"peak_count": 91, "peak_bytes": ALIVE[1], "total_bytes": 9_000_000, "temporary": 30}
            records.append(record_of("memray", "allocations", "count", subject, [80], data))
            records.append(record_of("memray", "peak_bytes", "bytes", subject, [peak], {"frames": 4}))
        return records

    def largest(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        """The first clip: a timeline on two threads, the resident set over time, allocations of compiled code."""
        subject = subject_of(clips[0], kernels[0])
        wall_s = START_UP_S + FRAMES * per_frame_s(clips[0], self.scale)
        samples = [[wall_s * at / 40, 90e6 + 80e6 * min(at, 10) / 10, 60e6] for at in range(41)]
        resident = {"samples": samples, "rate_hz": 100, "wall_s": wall_s, "exit_status": 0}
        stack = {
            "functions": [["tile.walk.grow", ""], ["set_numba.satd", "satd"]],
            "count": 32,
            "bytes": 4096,
            "live": None,
        }
        counted = {"frames": 4, "stacks": [stack], "bytes": 4096, "counted": 32, "statistics": [[0, 0], [40, 40]]}
        return [
            record_of("trace", "timeline", "s", subject | {"tiles": 2, "threads": 2}, [1e-3], timeline_data(FRAMES)),
            record_of("resident", "max_rss", "bytes", subject, [171e6], resident),
            record_of("nrt", "kernel_allocations", "count", subject, [32], counted),
        ]

    def tiles(self, clips: list[str], kernels: list[str]) -> list[RecordLine]:
        return [
            record for clip in clips for tiles in (1, 2, 4, 8) for record in self._tiles_of(clip, kernels[0], tiles)
        ]

    def _tiles_of(self, clip: str, kernels: str, tiles: int) -> list[RecordLine]:
        """Speed-up by the law with PARALLEL_SHARE on one or two threads; 0.4 % more bytes for each tile more."""
        data = {"requested_tiles": tiles, "possible": SIZES[clip][0] * SIZES[clip][1] > 8192 * tiles}
        if not data["possible"]:
            return [record_of("wall", "tiles_wall", "s", subject_of(clip, kernels, tiles=tiles), [], data)]
        records = []
        for threads in range(1, min(tiles, 2) + 1):
            share = 1 - PARALLEL_SHARE + PARALLEL_SHARE / threads
            walls = self.noisy(per_frame_s(clip, self.scale) * FRAMES * share, 5, noise=0.01)
            subject = subject_of(clip, kernels, tiles=tiles, threads=threads)
            by_tile = {"tile_wall_s": [1.0 + 0.1 * (tile == 0) for tile in range(tiles)]}
            records.append(record_of("wall", "tiles_wall", "s", subject, walls, data | by_tile))
        size = int(stream_bytes(clip) * self.bytes_scale * (1 + 0.004 * (tiles - 1)))
        subject = subject_of(clip, kernels, tiles=tiles)
        return [*records, record_of("wall", "tiles_bytes", "bytes", subject, [size], data)]
