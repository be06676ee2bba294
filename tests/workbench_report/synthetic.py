"""Builds run folders as `workbench profile` would write them, from a seed: figures are plausible, and known to the tests."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"pan": (640, 360), "cut": (640, 360), "text": (640, 360), "water": (640, 360), "gradient": (352, 288), "flat": (176, 144)}
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
STAGE_SHARES = {"decision": 0.52, "reconstruction": 0.16, "entropy": 0.15, "deblocking": 0.06, "cdef": 0.07, "headers": 0.002}
SERIAL = ("deblocking", "cdef", "headers")
PARALLEL_SHARE = 0.90
STACKS = {
    "search_partition (encoder/tile/partition.py:88);try_modes (encoder/tile/decision.py:41);satd (encoder/kernels/set_numba/distortion.py:30)": 190,
    "search_partition (encoder/tile/partition.py:90);try_modes (encoder/tile/decision.py:44);intra_directional (encoder/kernels/set_numba/intra.py:120)": 120,
    "search_partition (encoder/tile/partition.py:92);try_modes (encoder/tile/decision.py:47);intra_smooth (encoder/kernels/set_numba/intra.py:80)": 55,
    "search_partition (encoder/tile/partition.py:94);rd_cost (encoder/tile/decision.py:90);forward_transform (encoder/kernels/set_numba/transform.py:210)": 110,
    "search_partition (encoder/tile/partition.py:95);rd_cost (encoder/tile/decision.py:93);quantize (encoder/kernels/set_numba/quantize.py:15)": 60,
    "search_partition (encoder/tile/partition.py:96);rd_cost (encoder/tile/decision.py:97);inverse_transform (encoder/kernels/set_numba/transform.py:300)": 85,
    "search_partition (encoder/tile/partition.py:97);rd_cost (encoder/tile/decision.py:99)": 25,
    "search_partition (encoder/tile/partition.py:99)": 12,
    "write_block (encoder/tile/syntax.py:30);write_coefficients (encoder/tile/residual.py:44);write_symbol (encoder/tile/symbol.py:61)": 95,
    "write_block (encoder/tile/syntax.py:31);write_coefficients (encoder/tile/residual.py:52)": 48,
    "write_block (encoder/tile/syntax.py:35)": 18,
}
FRAME_STACKS = {
    "deblock_frame (encoder/frame/deblocking.py:20);deblock_edge (encoder/kernels/set_numba/deblock.py:64)": 52,
    "cdef_frame (encoder/frame/cdef.py:31);cdef_filter (encoder/kernels/set_numba/cdef.py:51)": 60,
    "cdef_frame (encoder/frame/cdef.py:28);cdef_direction (encoder/kernels/set_numba/cdef.py:12)": 17,
    "write_headers (encoder/frame/headers.py:200)": 3,
}
ROOT = "main (encoder/cli.py:140);encode_file (encoder/cli.py:88);encode (encoder/stream.py:40);encode_frame (encoder/frame/frame.py:77)"


def build_run(
    folder: Path,
    *,
    clips: Collection[str] = tuple(SIZES),
    kernels: Collection[str] = ("numba",),
    seed: int = 1,
    repetitions: int = 10,
    scale: float = 1.0,
    bytes_scale: float = 1.0,
    noise: float = 0.02,
    machine: dict[str, Any] | None = None,
    end: str | None = "complete",
    without: Collection[str] = (),
) -> Path:
    """Write a run folder.

    scale     multiplies every time, bytes_scale every size
    end       status of the last line; None leaves the line out, as a killed run does
    without   steps to leave out: select, check, time, spans, stacks, memory, tiles
    """
    folder.mkdir(parents=True)
    builder = _Builder(np.random.RandomState(seed), repetitions, scale, bytes_scale, noise)
    lines: list[dict[str, Any]] = [
        {
            "schema": 1,
            "kind": "run",
            "verb": "profile",
            "arguments": ["corpus/", "--clips", ",".join(clips)],
            "machine": MACHINE | (machine or {}),
            "started": "2026-11-21T09:30:00+00:00",
        }
    ]
    steps = ("select", "check", "time", "spans", "stacks", "memory", "tiles")
    for step in steps:
        if step not in without:
            lines += [{"kind": "record", "schema": 1, **record} for record in getattr(builder, step)(list(clips), list(kernels))]
    if end is not None:
        lines.append({"kind": "end", "status": end, "wall_s": 231.4})
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


class _Builder:
    def __init__(self, random: np.random.RandomState, repetitions: int, scale: float, bytes_scale: float, noise: float) -> None:
        self.random, self.repetitions, self.scale, self.bytes_scale, self.noise = random, repetitions, scale, bytes_scale, noise

    def per_frame_s(self, clip: str) -> float:
        width, height = SIZES[clip]
        busy = {"flat": 0.25, "gradient": 0.6, "text": 0.9, "water": 1.4}.get(clip, 1.0)
        return width * height * 4.1e-7 * busy * self.scale

    def noisy(self, value: float, count: int) -> list[float]:
        return [float(v) for v in value * (1 + np.abs(self.random.standard_normal(count)) * self.noise)]

    def record(self, instrument: str, metric: str, unit: str, subject: dict[str, Any], values: list[float], **rest: Any) -> dict:
        command = ["encoder", f"{subject['clip']}.y4m", "-o", "out.ivf", "--kernels", subject.get("kernels", "numba")] if "clip" in subject else []
        return {"instrument": instrument, "metric": metric, "unit": unit, "subject": subject, "values": values,
                "data": rest.get("data", {}), "warnings": rest.get("warnings", []), "command": rest.get("command", command)}  # fmt: skip

    def subject(self, clip: str, kernels: str, frames: int, **more: Any) -> dict[str, Any]:
        width, height = SIZES[clip]
        return {"clip": clip, "width": width, "height": height, "frames": frames, "kernels": kernels, "tiles": 1, "threads": 1, "quantizer": 100, **more}

    def select(self, clips: list[str], kernels: list[str]) -> list[dict]:
        left = 2600
        records = []
        for order, clip in enumerate(clips):
            new = int(left * (0.93 if order == 0 else 0.45))
            left -= new
            chosen = new > 8
            seconds = 1.7 + 0.6 * order
            records.append(self.record("coverage", "lines_and_branches", "count", {"clip": clip}, [2300 - 40 * order],
                data={"seconds": seconds, "new_items": new if chosen else 0, "new_per_s": new / seconds, "chosen": chosen, "order": order}))  # fmt: skip
        never = {"files": {"encoder/tile/residual.py": [[201, 214], [240, 240]], "encoder/frame/headers.py": [[88, 91]]},
                 "total_items": 2680, "covered_items": 2600 - left}  # fmt: skip
        return [*records, self.record("coverage", "never_reached", "count", {}, [], data=never)]

    def check(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            size = int(self.per_frame_s(clip) / self.scale * 9e4 * self.bytes_scale) * 8
            for name in kernels:
                subject = self.subject(clip, name, 8)
                digest = f"{abs(hash((clip,))) % 10**8:08d}" if False else f"{sum(map(ord, clip)):064x}"
                records += [
                    self.record("output", "decodes", "", subject, [1.0], data={"decoder": "dav1d", "sha256": digest, "message": ""}),
                    self.record("output", "bytes", "bytes", subject, [size]),
                    self.record("output", "psnr_y", "dB", subject, [38.0 + len(clip) / 3], data={"psnr_of_mean_mse": [38.0, 41.0, 41.5], "mean_psnr": [38.1, 41.0, 41.6]}),
                ]  # fmt: skip
            records.append(self.record("output", "sets_agree", "", {"clip": clip}, [1.0],
                data={"sets": {s: f"{sum(map(ord, clip)):064x}" for s in ("numba", "numpy", "python")}, "frames": 1, "width": 64, "height": 48}))  # fmt: skip
        return records

    def time(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            for name in kernels:
                slow = {"numba": 1.0, "numpy": 40.0, "python": 400.0}[name]
                per_frame, start_up = self.per_frame_s(clip) * slow, 1.31
                n1, n2 = 2, 10
                for frames in (n1, n2):
                    walls = self.noisy(start_up + frames * per_frame, self.repetitions)
                    warnings = []
                    if clip == "water" and frames == n2 and self.repetitions > 3:
                        walls[3] *= 1.6
                        warnings = [f"run 4 took {walls[3]:.2f} s, the others {walls[0]:.2f} s: another program was busy (CPU pressure 61 %); close it and measure again"]
                    subject = self.subject(clip, name, frames)
                    records.append(self.record("wall", "wall", "s", subject, walls, warnings=warnings))
                    records.append(self.record("wall", "cpu", "s", subject, [w * 0.985 for w in walls]))
                    records.append(self.record("wall", "max_rss", "bytes", subject, [float(int(v)) for v in self.noisy(168e6 + SIZES[clip][0] * SIZES[clip][1] * 40, self.repetitions)]))
                samples = self.noisy(per_frame, self.repetitions)
                if clip == "water" and self.repetitions > 3:
                    samples[3] *= 1.6
                records.append(self.record("wall", "time_per_frame", "s", self.subject(clip, name, n2), samples, data={"start_up_s": start_up, "n1": n1, "n2": n2}))
        return records

    def spans(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            for tiles in (1, 4):
                total = self.per_frame_s(clip) * 8
                busy = {"text": 1.25, "flat": 0.7}.get(clip, 1.0)
                shares = dict(STAGE_SHARES, entropy=STAGE_SHARES["entropy"] * busy)
                stages = {stage: total * share for stage, share in shares.items()} | {"input": 0.004, "output": 0.001}
                parallel = {stage: stages[stage] for stage in ("decision", "reconstruction", "entropy")}
                serial = {stage: stages[stage] for stage in stages if stage not in parallel}
                weights = self.random.uniform(0.8, 1.2, tiles)
                weights /= weights.sum()
                per_tile = [{"index": at, "stages": {stage: spent * float(weight) for stage, spent in parallel.items()}} for at, weight in enumerate(weights)]
                data = {"stages": stages, "tiles": per_tile, "serial": serial, "parallel": parallel, "wall_s": sum(stages.values())}
                records.append(self.record("spans", "stage_s", "s", self.subject(clip, kernels[0], 8, tiles=tiles), [data["wall_s"]], data=data))
        return records

    def stacks(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            folded: dict[str, int] = {f"{ROOT.split(';')[0]};load_kernels (encoder/kernels/load.py:60)": 14}
            for stack, count in STACKS.items():
                folded[f"{ROOT};encode_tile (encoder/tile/walk.py:55);{stack}"] = int(self.random.poisson(count))
            for stack, count in FRAME_STACKS.items():
                folded[f"{ROOT};{stack}"] = int(self.random.poisson(count))
            folded = {stack: count for stack, count in folded.items() if count}
            records.append(self.record("stacks", "samples", "count", self.subject(clip, kernels[0], 10), [sum(folded.values())],
                data={"folded": folded, "rate_hz": 200, "resolved_share": 0.998}))  # fmt: skip
        return records

    def memory(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            sites = [{"site": "encoder/tile/walk.py:61 encode_tile", "count": 40, "bytes": 40 * 65536},
                     {"site": "encoder/stream.py:44 encode", "count": 16, "bytes": 16 * 4096},
                     {"site": "encoder/frame/obu.py:12 write_obu", "count": 24, "bytes": 24 * 1500}]  # fmt: skip
            subject = self.subject(clip, kernels[0], 8)
            data = {"top_sites": sites, "frames": 8}
            records.append(self.record("memray", "allocations", "count", subject, [sum(site["count"] for site in sites)], data=data))
            records.append(self.record("memray", "peak_bytes", "bytes", subject, [5.2e6 + SIZES[clip][0] * SIZES[clip][1] * 3], data=data))
        return records

    def tiles(self, clips: list[str], kernels: list[str]) -> list[dict]:
        records = []
        for clip in clips:
            size = int(self.per_frame_s(clip) / self.scale * 9e4 * self.bytes_scale) * 8
            for tiles in (1, 2, 4, 8):
                possible = SIZES[clip][0] * SIZES[clip][1] > 64 * 64 * tiles * 2
                if not possible:
                    subject = self.subject(clip, kernels[0], 8, tiles=tiles, threads=1)
                    records.append(self.record("wall", "tiles_wall", "s", subject, [], data={"requested_tiles": tiles, "possible": False}))
                    continue
                for threads in (1, 2):
                    workers = min(tiles, threads)
                    total = self.per_frame_s(clip) * 8 * (1 + 0.002 * tiles) * ((1 - PARALLEL_SHARE) + PARALLEL_SHARE / workers)
                    if clip == "text" and tiles == 8 and threads == 2:
                        total *= 1.4
                    subject = self.subject(clip, kernels[0], 8, tiles=tiles, threads=threads, tile_cols_log2=1, tile_rows_log2=1)
                    records.append(self.record("wall", "tiles_wall", "s", subject, self.noisy(total, 5), data={"requested_tiles": tiles, "possible": True}))
                subject = self.subject(clip, kernels[0], 8, tiles=tiles, threads=1)
                records.append(self.record("wall", "tiles_bytes", "bytes", subject, [int(size * (1 + 0.004 * (tiles - 1)))]))
        return records
