"""The encoder's command line."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

PROCESS_BEGAN = time.perf_counter()
FAULT = os.environ.get("FAULT")


def main(argv=None):
    options = parse(argv)
    if options.warm:
        return 0
    if not os.path.exists(options.input):
        print(f"encoder: {options.input}: there is no such file", file=sys.stderr)
        return 2
    if FAULT == "die":
        print("encoder: the walk fell over", file=sys.stderr)
        return 1
    if FAULT == "abort":
        os.abort()
    if FAULT == "hang":
        time.sleep(3600)
    encode(options)
    return 0


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("input", nargs="?")
    for name in ("-o", "--stats", "--reconstruction"):
        parser.add_argument(name)
    parser.add_argument("--kernels", default="numba")
    for name in ("--quantizer", "--tile-cols-log2", "--tile-rows-log2", "--threads", "--limit"):
        parser.add_argument(name, type=int, default=0)
    for name in ("-q", "-y", "--probe", "--psnr", "--warm"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args(argv)


def encode(options):
    from encoder import stream

    width, height, pictures = read_y4m(Path(options.input), options.limit)
    if FAULT == "short":
        pictures = pictures[:-1]
    options.threads = max(options.threads, 1)
    start_up_s = time.perf_counter() - PROCESS_BEGAN
    frames = in_coding_order([frame(index, wall_s, options) for index, wall_s in stream.encode(pictures, options)])
    packets = svt_av1(pictures, width, height)
    if FAULT == "sets" and options.kernels == "numpy":
        packets[0] += b"\0"
    write_ivf(Path(options.o), packets, width, height)
    if options.reconstruction:
        write_y4m(Path(options.reconstruction), decoded(packets), width, height)
    if options.stats and FAULT != "mute":
        cols, rows = 1 << options.tile_cols_log2, 1 << options.tile_rows_log2
        total = {
            "frames": len(frames),
            "bytes": sum(map(len, packets)),
            "wall_s": time.perf_counter() - PROCESS_BEGAN,
            "start_up_s": start_up_s,
            "input_s": 0.001,
            "output_s": 0.002,
        }
        total |= {"psnr_of_mean_mse": [40.0, 41.0, 42.0], "mean_psnr": [40.5, 41.5, 42.5]}
        stats = {
            "schema": 2,
            "interpreted": options.kernels != "numba",
            "threads": options.threads,
            "tiles": {"cols": cols, "rows": rows, "count": cols * rows},
        }
        Path(options.stats).write_text(json.dumps({**stats, "frames": frames, "total": total}))


def frame(index, wall_s, options):
    """Key frame, then pairs of a hidden base and the leaf before it; a frame at the end is a base that is shown at once."""
    count = 1 << (options.tile_cols_log2 + options.tile_rows_log2)
    stages = {
        "decision": 0.6 * wall_s / count,
        "reconstruction": 0.2 * wall_s / count,
        "entropy": 0.05 * wall_s / count,
    }
    tiles = [{"index": n, "bytes": 10, "wall_s": 0.05 * wall_s / count} for n in range(count)]
    if options.probe:
        tiles = [tile | {"stages_s": stages} for tile in tiles]
    serial = {"lookahead": 0.01, "motion": 0.02, "deblocking": 0.02, "cdef": 0.02, "restoration": 0.01, "headers": 0.01}
    in_tiles = {"tiles": 0.85, "entropy": 0.05}
    is_leaf = index % 2 == 1
    figures = {
        "display_index": index,
        "type": "inter" if index else "key",
        "layer": 1 if is_leaf else 0,
        "mini_gop": 2 if index else 1,
        "shown": is_leaf or index == 0,
        "quantizer": 100 + 10 * is_leaf,
        "bytes": 100 if is_leaf else 200,
        "bits": {"mode": 300.0, "motion": 100.0 * (index > 0), "coefficients_y": 400.0},
        "block_sizes": {"16x16": 0.25, "64x64": 0.75},
        "modes": {"NEWMV" if index else "DC": 1.0},
        "wall_s": wall_s,
        "stages_s": {stage: share * wall_s for stage, share in (serial | in_tiles).items()},
        "tiles": tiles,
    }
    return figures | ({"mse": [6.5, 5.2, 4.1], "psnr": [40.0, 41.0, 42.0]} if options.psnr else {})


def in_coding_order(frames):
    """A hidden frame comes before the one that is shown before it; without a leaf before it, the last one is no hidden one."""
    ordered = frames[:1]
    for leaf in range(1, len(frames), 2):
        pair = frames[leaf : leaf + 2]
        if len(pair) == 1:
            pair[0] |= {"layer": 0, "mini_gop": 1, "bytes": 200, "quantizer": 100}
        ordered += reversed(pair)
    return ordered


def read_y4m(path, limit):
    """Width, height and the frames' bytes."""
    header, _, rest = path.read_bytes().partition(b"\n")
    size = {word[:1]: int(word[1:]) for word in header.split() if word[:1] in (b"W", b"H")}
    width, height = size[b"W"], size[b"H"]
    length = width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    step = length + len(b"FRAME\n")
    frames = [rest[at + 6 : at + step] for at in range(0, len(rest), step)]
    return width, height, frames[: limit or None]


def svt_av1(pictures, width, height):
    """A temporal unit for each picture."""
    import av

    os.environ["SVT_LOG"] = "0"  # it is talkative on standard error
    codec = av.VideoCodecContext.create("libsvtav1", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = width, height, "yuv420p", 30
    codec.options = {"preset": "13", "svtav1-params": "keyint=1:pred-struct=1:lp=1"}
    packets = [packet for picture in pictures for packet in codec.encode(av_frame(picture, width, height))]
    return [bytes(packet) for packet in packets + codec.encode(None)]


def av_frame(picture, width, height):
    """A picture's bytes as PyAV wants them: rows padded to the line size."""
    import av

    frame = av.VideoFrame(width, height, "yuv420p")
    at = 0
    for plane in frame.planes:
        rows = [picture[at + y * plane.width : at + (y + 1) * plane.width] for y in range(plane.height)]
        plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
        at += plane.width * plane.height
    return frame


def decoded(packets):
    """What dav1d shows, unless the fault is that the encoder believes something else."""
    import av

    codec = av.VideoCodecContext.create("libdav1d", "r")
    frames = [frame for data in packets for frame in codec.decode(av.Packet(data))] + codec.decode(None)
    pictures = [bytearray(b"".join(visible(plane) for plane in frame.planes)) for frame in frames]
    if FAULT == "corrupt":
        pictures[-1][5] ^= 1
    return pictures


def visible(plane):
    data = bytes(plane)
    return b"".join(data[y * plane.line_size :][: plane.width] for y in range(plane.height))


def write_ivf(path, packets, width, height):
    header = b"DKIF" + (0).to_bytes(2, "little") + (32).to_bytes(2, "little") + b"AV01"
    header += (
        width.to_bytes(2, "little")
        + height.to_bytes(2, "little")
        + (30).to_bytes(4, "little")
        + (1).to_bytes(4, "little")
    )
    body = b"".join(
        len(data).to_bytes(4, "little") + pts.to_bytes(8, "little") + data for pts, data in enumerate(packets)
    )
    path.write_bytes(header + len(packets).to_bytes(4, "little") + bytes(4) + body)


def write_y4m(path, pictures, width, height):
    path.write_bytes(
        f"YUV4MPEG2 W{width} H{height} F30:1 C420jpeg\n".encode() + b"".join(b"FRAME\n" + p for p in pictures)
    )
