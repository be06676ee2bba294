"""Partition of a superblock of an inter frame before its blocks are searched: from the motion between source pictures.

Every vector that the lookahead found in the superblock is laid over all of it, and the differences of its 64 cells of 8x8 samples
are taken at once. Each block of the quadtree then knows what it leaves with its best vector, and is split where its
quarters with theirs leave enough less to pay for their vectors.
"""

from numpy import int64

from encoder.tile.blocks import z_col, z_row
from encoder.tile.costs import NO_COST, satd_cost
from encoder.tile.motion_search import clamp_col, clamp_row

MAX_VECTORS = 16
"""How many vectors are laid over a superblock at most."""
NODES = 85
"""Blocks of all levels: 64 cells, then 16, 4 and 1, each level in Z order."""


EITHER, WHOLE, SPLIT = range(3)


def node_at(level, z):
    """The place of the block of a level that begins at cell z."""
    if level == 1:
        return z
    if level == 2:
        return 64 + (z >> 2)
    if level == 3:
        return 80 + (z >> 4)
    return int64(84)


def plan_partition(k, t, sb_row, sb_col):
    """Fill t.plan: what each block costs with its best vector, and t.plan_split: whether to split it."""
    for i in range(NODES):
        t.plan[i] = NO_COST
    count = int64(0)
    for i in range(len(t.search_refs)):
        count = _lay(k, t, sb_row, sb_col, i, int64(0), int64(0), count)
    for block in range(16):
        for i in range(len(t.search_refs)):
            row = (sb_row >> 2) + (block >> 2)
            col = (sb_col >> 2) + (block & 3)
            if row >= t.source_rows or col >= t.source_cols:
                continue
            at = ((i * t.source_rows + row) * t.source_cols + col) * 2
            count = _lay(k, t, sb_row, sb_col, i, (int64(t.source_mv[at]) + 4) >> 3, (int64(t.source_mv[at + 1]) + 4) >> 3, count)
    split_gain, whole_gain = satd_cost(t, int64(0), int64(t.split_gain)), satd_cost(t, int64(0), int64(t.whole_gain))
    for level in range(2, 5):
        units = int64(1) << (2 * level - 2)
        for z in range(0, 64, units):
            at = node_at(level, z)
            quarter = units >> 2
            cost = int64(0)
            for i in range(4):
                cost += t.plan[node_at(level - 1, z + i * quarter)]
            gain = t.plan[at] - cost
            t.plan_split[at] = SPLIT if gain > split_gain else WHOLE if gain < whole_gain else EITHER
            if cost < t.plan[at]:
                t.plan[at] = cost


def _lay(k, t, sb_row, sb_col, i, row, col, count):
    """Add a vector of the i-th reference, in samples, unless it is there."""
    x, y = sb_col * 4, sb_row * 4
    row, col = clamp_row(t, y, int64(64), row), clamp_col(t, x, int64(64), col)
    for j in range(count):
        if t.plan_vectors[3 * j] == i and t.plan_vectors[3 * j + 1] == row and t.plan_vectors[3 * j + 2] == col:
            return count
    if count == MAX_VECTORS:
        return count
    t.plan_vectors[3 * count] = i
    t.plan_vectors[3 * count + 1] = row
    t.plan_vectors[3 * count + 2] = col
    stride = t.stride[0]
    at = t.origin[0] + y * stride + x
    k.sad_grid(t.src, at, stride, t.refs, t.ref_at[t.search_refs[i]] + at + row * stride + col, stride, t.plan_cells)
    node_rate = satd_cost(t, int64(0), int64(t.plan_rate))
    cost_16 = cost_32 = cost_64 = int64(0)
    for z in range(64):
        cell_row, cell_col = z_row(z), z_col(z)
        cost = int64(0)
        if sb_row + 2 * cell_row < t.mi_rows and sb_col + 2 * cell_col < t.mi_cols:
            cost = satd_cost(t, 2 * t.plan_cells[8 * cell_row + cell_col], int64(0))
        cost_16 += cost
        _keep_least(t, z, cost + node_rate, count)
        if z & 3 == 3:
            _keep_least(t, 64 + (z >> 2), cost_16 + node_rate, count)
            cost_32 += cost_16
            cost_16 = int64(0)
        if z & 15 == 15:
            _keep_least(t, 80 + (z >> 4), cost_32 + node_rate, count)
            cost_64 += cost_32
            cost_32 = int64(0)
    _keep_least(t, int64(84), cost_64 + node_rate, count)
    return count + 1


def _keep_least(t, at, cost, vector):
    if cost < t.plan[at]:
        t.plan[at] = cost
        t.plan_vector[at] = vector
