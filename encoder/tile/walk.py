"""A tile: for each superblock in raster order decide, then code (spec 5.11.2); once the frame is filtered, its bytes."""

from numpy import int64

from encoder.probe import DECISION, ENTROPY, SUPERBLOCK_ROW
from encoder.spec import BLOCK_64X64, PARTITION_NONE, PARTITION_SPLIT
from encoder.tile.block import code_block
from encoder.tile.blocks import clear_block_decoded_flags, info_at, z_col, z_row
from encoder.tile.inter_modes import fill_mv_rates
from encoder.tile.modes import write_partition
from encoder.tile.partition_plan import plan_partition
from encoder.tile.planned_search import decide_planned_block
from encoder.tile.restoration import clear_restoration_references, write_restoration
from encoder.tile.search import search_superblock
from encoder.tile.spans import begin_span, end_span
from encoder.tile.stress import draw, draw_block, draw_block_size
from encoder.tile.symbol import (
    CLASS_FILTER,
    CLASS_PARTITION,
    MARKER_CDEF,
    MARKER_RESTORATION,
    TOKENS,
    code_tokens,
    finish_symbols,
    is_marker,
    marker_kind,
    marker_position,
    record_marker,
    start_symbols,
    syntax_class,
    update_rates,
    write_literal,
)


def encode_tile(k, t):
    """Decide and reconstruct one tile; its symbols wait in t.tokens. t.coder[TOKENS] may tell that there is no room for all."""
    start_symbols(t)
    for plane_column in range(3 * t.context_stride):
        t.above_level[plane_column] = 0
        t.above_dc[plane_column] = 0
    for mi_row in range(t.mi_row_start, t.mi_row_end, 16):
        began = begin_span(t)
        for i in range(3 * 16):
            t.left_level[i] = 0
            t.left_dc[i] = 0
        for mi_col in range(t.mi_col_start, t.mi_col_end, 16):
            _encode_superblock(k, t, mi_row, mi_col)
        end_span(t, SUPERBLOCK_ROW, began, mi_row, t.mi_col_start, BLOCK_64X64)
    return int64(0)


def finish_tile(k, t, cdef_bits):
    """Code the tokens into t.out; gives the tile's size in bytes.

    The frame's filters are chosen by now: t.cdef_idx, cdef_bits and the restoration of its units.
    """
    began = begin_span(t)
    clear_restoration_references(t)
    end, first = t.coder[TOKENS], int64(0)
    for i in range(end):
        if is_marker(t.tokens[i]):
            code_tokens(t, first, i)
            first = i + 1
            _code_filter_syntax(t, marker_kind(t.tokens[i]), marker_position(t.tokens[i]), cdef_bits, end)
    code_tokens(t, first, end)
    end_span(t, ENTROPY, began, t.mi_row_start, t.mi_col_start, BLOCK_64X64)
    return finish_symbols(t)


def _code_filter_syntax(t, kind, position, cdef_bits, end):
    """What stands at a marker; its tokens are recorded behind all others and coded at once."""
    syntax_class(t, CLASS_FILTER)
    if kind == MARKER_CDEF:
        write_literal(t, int64(t.cdef_idx[position]), cdef_bits)
    else:
        write_restoration(t, position // t.sb_cols * 16, position % t.sb_cols * 16)
    code_tokens(t, end, t.coder[TOKENS])
    t.coder[TOKENS] = end


def _encode_superblock(k, t, mi_row, mi_col):
    t.cdef_idx[(mi_row >> 4) * t.sb_cols + (mi_col >> 4)] = -1
    cdef_choice = int64(0)
    if t.stress:
        cdef_choice = draw(t, t.cdef_sets)
    else:
        began = begin_span(t)
        if (mi_col - t.mi_col_start) % (16 * t.rates_interval) == 0:
            update_rates(t)
            if not t.frame_is_intra:
                fill_mv_rates(t)
        clear_block_decoded_flags(t, mi_row, mi_col)
        if t.planned:
            plan_partition(k, t, mi_row, mi_col)
        else:
            search_superblock(k, t, mi_row, mi_col)
        end_span(t, DECISION, began, mi_row, mi_col, BLOCK_64X64)
    clear_block_decoded_flags(t, mi_row, mi_col)
    record_marker(t, MARKER_RESTORATION, (mi_row >> 4) * t.sb_cols + (mi_col >> 4))
    _code_superblock(k, t, mi_row, mi_col, cdef_choice)


def _code_superblock(k, t, sb_row, sb_col, cdef_choice):
    """Blocks in coding order: z counts 8x8 units along the Z curve, and a block of 2**level units takes its share of them."""
    z = int64(0)
    while z < 64:
        mi_row, mi_col = sb_row + z_row(z) * 2, sb_col + z_col(z) * 2
        level = int64(0)
        while level < 3 and z & ((int64(4) << (2 * level)) - 1) == 0:
            level += 1
        z += _code_partition(k, t, mi_row, mi_col, level, cdef_choice)


def _code_partition(k, t, mi_row, mi_col, level, cdef_choice):
    """Write partitions from the largest block that begins here down to the one coded; gives the 8x8 units it covers."""
    if mi_row >= t.mi_rows or mi_col >= t.mi_cols:
        return int64(1)
    while True:
        block_size = 3 + 3 * level
        chosen = (
            draw_partition(t, mi_row, mi_col, block_size)
            if t.stress
            else int64(t.block_size[info_at(t, mi_row, mi_col)])
        )
        whole = chosen >= block_size
        syntax_class(t, CLASS_PARTITION)
        write_partition(t, mi_row, mi_col, block_size, PARTITION_NONE if whole else PARTITION_SPLIT)
        if whole:
            _code_decided(k, t, mi_row, mi_col, block_size, cdef_choice)
            return int64(1) << (2 * level)
        if level == 0:
            for i in range(4):
                _code_decided(k, t, mi_row + (i >> 1), mi_col + (i & 1), int64(0), cdef_choice)
            return int64(1)
        level -= 1


def _code_decided(k, t, mi_row, mi_col, block_size, cdef_choice):
    if t.stress:
        draw_block(t, mi_row, mi_col, block_size)
        quantize = int64(2 if draw(t, 5) else 0)
    else:
        if t.planned:
            began = begin_span(t)
            decide_planned_block(k, t, mi_row, mi_col, block_size)
            end_span(t, DECISION, began, mi_row, mi_col, block_size)
        # Where the search found no residual worth its bits, there is to be none.
        info = info_at(t, mi_row, mi_col)
        quantize = int64(0 if t.is_inter[info] and t.skip[info] else 1)
    code_block(k, t, mi_row, mi_col, block_size, quantize, cdef_choice)


def draw_partition(t, mi_row, mi_col, block_size):
    """A block that the picture's edge cuts in half is split; others as the dice say."""
    half = int64(1) << (block_size // 3 - 1)
    if mi_row + half >= t.mi_rows or mi_col + half >= t.mi_cols:
        return block_size - 3
    return draw_block_size(t, block_size)
