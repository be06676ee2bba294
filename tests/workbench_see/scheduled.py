"""A made-up encode as the instrument `trace` records it: a main thread that hands tiles to workers, frame by frame."""

NAMES = ("read", "frame", "motion", "tiles", "wait for tiles", "tile", "cdef", "superblock row", "trial")
COLUMNS = ("lane", "name", "begin_ns", "end_ns", "frame", "tile", "place")
NONE = -1


class Spans:
    """Columns of spans that grow."""

    def __init__(self):
        self.rows = []

    def add(self, lane, name, begin, end, frame=NONE, tile=NONE, place=NONE):
        """One more span."""
        self.rows.append((lane, NAMES.index(name), begin, end, frame, tile, place))

    def columns(self):
        """As a record has them."""
        rows = sorted(self.rows, key=lambda row: (row[0], row[2], -row[3]))
        return dict(zip(COLUMNS, ([*column] for column in zip(*rows, strict=True)), strict=True))


def place(size, row, column):
    """The place of a block: its size as in the specification, its position in 4x4 units."""
    return size | row << 16 | column << 32


def encode(frames, workers=2, motion=30, cdef=50, wake=0, rows=0):
    """Data of a timeline. `frames` has for each frame the durations of its tiles; a tile goes to the worker that is free first,
    `wake` after it was handed over or the worker became free. With `rows`, tiles consist of so many rows, each with a trial."""
    spans, marks, now = Spans(), [], 0
    for number, tiles in enumerate(frames):
        spans.add(0, "read", now, now + 5)
        marks.append({"name": "in", "frame": number, "at_ns": now + 5})
        began = now + 5
        spans.add(0, "motion", began, began + motion)
        submitted = began + motion
        free = [submitted] * workers
        for tile, length in enumerate(tiles):
            worker = free.index(min(free))
            begin = free[worker] + wake
            free[worker] = begin + length
            spans.add(1 + worker, "tile", begin, begin + length, number, tile)
            for row in range(rows):
                first = begin + length * row // rows
                last = begin + length * (row + 1) // rows
                spans.add(1 + worker, "superblock row", first, last, number, tile, place(12, 16 * row, 0))
                spans.add(1 + worker, "trial", first + 1, last - 1, number, tile, place(6, 16 * row, 4))
        done = max(free) + wake
        spans.add(0, "tiles", submitted, done)
        spans.add(0, "wait for tiles", submitted, done)
        spans.add(0, "cdef", done, done + cdef)
        now = done + cdef
        spans.add(0, "frame", began, now, number)
        marks.append({"name": "out", "frame": number, "at_ns": now})
    return {
        "lanes": ["main", *(f"tile worker {worker + 1}" for worker in range(workers))],
        "names": list(NAMES),
        "waits": ["wait for tiles"],
        "spans": spans.columns(),
        "marks": marks,
        "detail": "row" if rows else "tile",
        "frames": [
            {
                "display_index": at,
                "type": "inter" if at else "key",
                "layer": 0,
                "bytes": 9,
                "shown": True,
                "wall_s": 1.0,
            }
            for at in range(len(frames))
        ],
        "lost": 0,
        "clock_off_ns": 0,
        "interpreted": False,
        "threads": workers,
        "cores": workers,
        "tiles": max(map(len, frames)),
    }
