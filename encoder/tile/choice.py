"""What the search has decided for a block, one row of t.choice a partition level, and its way into the block info.

Level 0 is 4x4, 1 is 8x8, ... 4 is 64x64. Rows from FIRST_CANDIDATE on hold the ranked predictions of the block at hand, row KEPT a
choice put aside.
"""

from numpy import int64

from encoder.spec import INTRA_FRAME, NONE
from encoder.tile.blocks import fill_block, info_at
from encoder.tile.state import CHOICE_WORDS

# Words of a row. LUMA_EOB: coefficients of luma; COST, RATE: of a ranked prediction.
Y_MODE, ANGLE_Y, UV_MODE, ANGLE_UV, ALPHA_U, ALPHA_V, TX_SIZE, TX_TYPE, HAS_COEFS, LUMA_EOB = range(10)
REF_0, REF_1, MV_ROW_0, MV_COL_0, MV_ROW_1, MV_COL_1, REF_MV_IDX, FILTER, SKIP_MODE, COST, RATE = range(10, 21)

KEPT = 5 * CHOICE_WORDS
FIRST_CANDIDATE = 6 * CHOICE_WORDS
MAX_CANDIDATES = 4


def choice_row(block_size):
    """Where the choice of a level begins."""
    return (block_size // 3) * CHOICE_WORDS


def copy_choice(t, to, from_):
    """One row over another."""
    for i in range(CHOICE_WORDS):
        t.choice[to + i] = t.choice[from_ + i]


def keep_choice(t, mi_row, mi_col, level):
    """Write the choice of a level into the block info."""
    c, block_size = level * CHOICE_WORDS, level * 3
    at = info_at(t, mi_row, mi_col)
    is_inter = int64(t.choice[c + REF_0] > INTRA_FRAME)
    fill_block(t, t.block_size, at, block_size, block_size)
    fill_block(t, t.y_mode, at, block_size, t.choice[c + Y_MODE])
    fill_block(t, t.tx_size, at, block_size, t.choice[c + TX_SIZE])
    fill_block(t, t.tx_type, at, block_size, t.choice[c + TX_TYPE])
    fill_block(t, t.skip, at, block_size, 1 - t.choice[c + HAS_COEFS])
    fill_block(t, t.skip_mode, at, block_size, t.choice[c + SKIP_MODE])
    fill_block(t, t.is_inter, at, block_size, is_inter)
    fill_block(t, t.ref_frame_0, at, block_size, t.choice[c + REF_0])
    fill_block(t, t.ref_frame_1, at, block_size, t.choice[c + REF_1])
    if is_inter:
        fill_block(t, t.mv_row_0, at, block_size, t.choice[c + MV_ROW_0])
        fill_block(t, t.mv_col_0, at, block_size, t.choice[c + MV_COL_0])
        fill_block(t, t.mv_row_1, at, block_size, t.choice[c + MV_ROW_1])
        fill_block(t, t.mv_col_1, at, block_size, t.choice[c + MV_COL_1])
        fill_block(t, t.ref_mv_idx, at, block_size, t.choice[c + REF_MV_IDX])
        fill_block(t, t.interp_filter, at, block_size, t.choice[c + FILTER])
    else:
        fill_block(t, t.angle_y, at, block_size, t.choice[c + ANGLE_Y])
        fill_block(t, t.uv_mode, at, block_size, t.choice[c + UV_MODE])
        fill_block(t, t.angle_uv, at, block_size, t.choice[c + ANGLE_UV])
        fill_block(t, t.cfl_alpha_u, at, block_size, t.choice[c + ALPHA_U])
        fill_block(t, t.cfl_alpha_v, at, block_size, t.choice[c + ALPHA_V])


def begin_intra_choice(t, c):
    """What an intra block has of the words that prediction from other frames uses."""
    t.choice[c + REF_0] = INTRA_FRAME
    t.choice[c + REF_1] = NONE
    t.choice[c + SKIP_MODE] = 0
