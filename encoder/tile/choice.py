"""What the search has decided for a block, one row of t.choice a partition level, and its way into the block info.

Level 0 is 4x4, 1 is 8x8, ... 4 is 64x64. Rows from FIRST_CANDIDATE on hold the ranked predictions of the block at hand, row KEPT a
choice put aside.
"""

from numpy import int64

from encoder.spec import INTRA_FRAME, NONE
from encoder.tile.blocks import info_at
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
    c = level * CHOICE_WORDS
    size4 = int64(1) << level
    is_inter = t.choice[c + REF_0] > INTRA_FRAME
    for row in range(size4):
        at = info_at(t, mi_row + row, mi_col)
        for i in range(at, at + size4):
            t.block_size[i] = level * 3
            t.y_mode[i] = t.choice[c + Y_MODE]
            t.tx_size[i] = t.choice[c + TX_SIZE]
            t.tx_type[i] = t.choice[c + TX_TYPE]
            t.skip[i] = 1 - t.choice[c + HAS_COEFS]
            t.skip_mode[i] = t.choice[c + SKIP_MODE]
            t.is_inter[i] = is_inter
            t.ref_frame_0[i] = t.choice[c + REF_0]
            t.ref_frame_1[i] = t.choice[c + REF_1]
            if is_inter:
                t.mv_row_0[i] = t.choice[c + MV_ROW_0]
                t.mv_col_0[i] = t.choice[c + MV_COL_0]
                t.mv_row_1[i] = t.choice[c + MV_ROW_1]
                t.mv_col_1[i] = t.choice[c + MV_COL_1]
                t.ref_mv_idx[i] = t.choice[c + REF_MV_IDX]
                t.interp_filter[i] = t.choice[c + FILTER]
            else:
                t.angle_y[i] = t.choice[c + ANGLE_Y]
                t.uv_mode[i] = t.choice[c + UV_MODE]
                t.angle_uv[i] = t.choice[c + ANGLE_UV]
                t.cfl_alpha_u[i] = t.choice[c + ALPHA_U]
                t.cfl_alpha_v[i] = t.choice[c + ALPHA_V]


def begin_intra_choice(t, c):
    """What an intra block has of the words that prediction from other frames uses."""
    t.choice[c + REF_0] = INTRA_FRAME
    t.choice[c + REF_1] = NONE
    t.choice[c + SKIP_MODE] = 0
