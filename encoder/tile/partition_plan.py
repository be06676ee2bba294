"""Partition of a superblock before its blocks are decided, from source pictures alone.

Of inter frames: the vectors that the lookahead found in the superblock are laid over all of it, a reference at a time, and the
differences of its 64 cells of 8x8 samples are taken at once. Each block of the quadtree then knows what it leaves with its best
vector to either reference. Of intra frames: what it leaves with the best of the common modes, predicted from the source around it.
A block is split where its quarters leave enough less to pay for what they cost beside their residual.
"""

from numpy import int64

from encoder.tile.blocks import info_at, z_col, z_row
from encoder.tile.costs import NO_COST, satd_cost
from encoder.tile.intra_search import plan_satd_cost
from encoder.tile.motion_search import clamp_col, clamp_row
from encoder.tile.state import PLAN_NODES, PLAN_WORDS

PLAN_COST, PLAN_ROW, PLAN_COL = range(PLAN_WORDS)
"""Words of t.plan for a block and a reference: cost of the vector, the vector in samples."""


def node_at(level, z):
    """The place of the block of a level that begins at cell z: 64 cells, then blocks of 16, 4 and 1, each level in Z order."""
    if level == 1:
        return z
    if level == 2:
        return 64 + (z >> 2)
    if level == 3:
        return 80 + (z >> 4)
    return int64(84)


def plan_at(i, node):
    """Where the words for the i-th reference of a block begin in t.plan."""
    return (i * PLAN_NODES + node) * PLAN_WORDS


def plan_partition(k, t, sb_row, sb_col):
    """Write the sizes of the blocks to be into the block info, each where its block begins; of inter frames, fill t.plan."""
    if t.frame_is_intra:
        _predict_blocks(k, t, sb_row, sb_col)
    else:
        _lay_all_vectors(k, t, sb_row, sb_col)
    for level in range(1, 5):
        units = int64(1) << (2 * level - 2)
        half = int64(1) << (level - 1)
        for z in range(0, 64, units):
            mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
            if mi_row >= t.mi_rows or mi_col >= t.mi_cols:
                continue
            if level > t.smallest_level:
                quarter = units >> 2
                cost = int64(0)
                for i in range(4):
                    cost += t.plan_cost[node_at(level - 1, z + i * quarter)]
                node = node_at(int64(level), z)
                cut = mi_row + half >= t.mi_rows or mi_col + half >= t.mi_cols
                if cut or t.plan_cost[node] > cost:
                    t.plan_cost[node] = cost
                    continue
            t.block_size[info_at(t, mi_row, mi_col)] = level * 3


def _predict_blocks(k, t, sb_row, sb_col):
    """t.plan_cost of an intra frame."""
    block_cost = satd_cost(t, int64(0), int64(t.plan_rate))
    for level in range(1, 5):
        half = int64(1) << (level - 1)
        for z in range(0, 64, int64(1) << (2 * level - 2)):
            mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
            cost = int64(0)
            if mi_row + half < t.mi_rows and mi_col + half < t.mi_cols:
                cost = plan_satd_cost(k, t, mi_row, mi_col, int64(level * 3)) + block_cost
            t.plan_cost[node_at(int64(level), int64(z))] = cost


def _lay_all_vectors(k, t, sb_row, sb_col):
    """t.plan and t.plan_cost of an inter frame."""
    for i in range(len(t.search_refs)):
        _lay_vectors(k, t, sb_row, sb_col, int64(i))
    for node in range(PLAN_NODES):
        t.plan_cost[node] = t.plan[plan_at(int64(0), node) + PLAN_COST]
        for i in range(1, len(t.search_refs)):
            t.plan_cost[node] = min(t.plan_cost[node], t.plan[plan_at(int64(i), node) + PLAN_COST])


def _lay_vectors(k, t, sb_row, sb_col, i):
    """The words of t.plan of the i-th reference."""
    for node in range(PLAN_NODES):
        t.plan[plan_at(i, node) + PLAN_COST] = NO_COST
    count = _lay(k, t, sb_row, sb_col, i, int64(0), int64(0), int64(0))
    for block in range(16):
        row = (sb_row >> 2) + (block >> 2)
        col = (sb_col >> 2) + (block & 3)
        if row < t.source_rows and col < t.source_cols:
            at = ((i * t.source_rows + row) * t.source_cols + col) * 2
            count = _lay(
                k, t, sb_row, sb_col, i, (int64(t.source_mv[at]) + 4) >> 3, (int64(t.source_mv[at + 1]) + 4) >> 3, count
            )


def _lay(k, t, sb_row, sb_col, i, row, col, count):
    """Lay a vector of the i-th reference, in samples, over the superblock, unless it has been; gives how many have been."""
    x, y = sb_col * 4, sb_row * 4
    row, col = clamp_row(t, y, int64(64), row), clamp_col(t, x, int64(64), col)
    for j in range(count):
        if t.plan_vectors[2 * j] == row and t.plan_vectors[2 * j + 1] == col:
            return count
    t.plan_vectors[2 * count] = row
    t.plan_vectors[2 * count + 1] = col
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
        _keep_least(t, i, int64(z), cost + node_rate, row, col)
        if z & 3 == 3:
            _keep_least(t, i, int64(64 + (z >> 2)), cost_16 + node_rate, row, col)
            cost_32 += cost_16
            cost_16 = int64(0)
        if z & 15 == 15:
            _keep_least(t, i, int64(80 + (z >> 4)), cost_32 + node_rate, row, col)
            cost_64 += cost_32
            cost_32 = int64(0)
    _keep_least(t, i, int64(84), cost_64 + node_rate, row, col)
    return count + 1


def _keep_least(t, i, node, cost, row, col):
    at = plan_at(i, node)
    if cost < t.plan[at + PLAN_COST]:
        t.plan[at + PLAN_COST] = cost
        t.plan[at + PLAN_ROW] = row
        t.plan[at + PLAN_COL] = col
