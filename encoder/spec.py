"""Constants and enumerations under the names of the AV1 specification (section 3 and the tables of section 6.10).

Plain ints: compiled code freezes them.
"""

# Block sizes (spec 6.10.4); we use the square ones.
BLOCK_4X4, BLOCK_8X8, BLOCK_16X16, BLOCK_32X32, BLOCK_64X64 = 0, 3, 6, 9, 12

# Partition types (spec 6.10.4).
PARTITION_NONE, PARTITION_HORZ, PARTITION_VERT, PARTITION_SPLIT = 0, 1, 2, 3
PARTITION_HORZ_A, PARTITION_HORZ_B, PARTITION_VERT_A, PARTITION_VERT_B, PARTITION_HORZ_4, PARTITION_VERT_4 = (
    4,
    5,
    6,
    7,
    8,
    9,
)

# Intra prediction modes (spec 6.10.17, 6.10.19).
DC_PRED, V_PRED, H_PRED, D45_PRED, D135_PRED, D113_PRED, D157_PRED, D203_PRED, D67_PRED = range(9)
SMOOTH_PRED, SMOOTH_V_PRED, SMOOTH_H_PRED, PAETH_PRED, UV_CFL_PRED = range(9, 14)
INTRA_MODES = 13

# Inter prediction modes (spec 6.10.22); they follow the intra modes in YMode.
NEARESTMV, NEARMV, GLOBALMV, NEWMV = range(13, 17)
NEAREST_NEARESTMV, NEAR_NEARMV, NEAREST_NEWMV, NEW_NEARESTMV = range(17, 21)
NEAR_NEWMV, NEW_NEARMV, GLOBAL_GLOBALMV, NEW_NEWMV = range(21, 25)

# Reference frames (spec 6.10.24).
NONE, INTRA_FRAME = -1, 0
LAST_FRAME, LAST2_FRAME, LAST3_FRAME, GOLDEN_FRAME, BWDREF_FRAME, ALTREF2_FRAME, ALTREF_FRAME = range(1, 8)
NUM_REF_FRAMES, REFS_PER_FRAME, TOTAL_REFS_PER_FRAME = 8, 7, 8
PRIMARY_REF_NONE = 7

# Interpolation filters (spec 6.8.9).
EIGHTTAP, EIGHTTAP_SMOOTH, EIGHTTAP_SHARP, BILINEAR, SWITCHABLE = range(5)

# Motion vectors (spec section 3 and 6.10.29): units are 1/8 of a luma sample.
MV_JOINT_ZERO, MV_JOINT_HNZVZ, MV_JOINT_HZVNZ, MV_JOINT_HNZVNZ = range(4)
MV_CLASS_0 = 0
CLASS0_SIZE = 2
MV_BORDER = 128
MAX_REF_MV_STACK_SIZE = 8
REF_CAT_LEVEL = 640
MFMV_STACK_SIZE = 3
MAX_OFFSET_WIDTH, MAX_OFFSET_HEIGHT = 8, 0
MAX_FRAME_DISTANCE = 31
REFMVS_LIMIT = (1 << 12) - 1
INVALID_MV = -(1 << 15)

MAX_ANGLE_DELTA = 3
ANGLE_STEP = 3

# Transform sizes (spec 6.10.16); the square ones.
TX_4X4, TX_8X8, TX_16X16, TX_32X32, TX_64X64 = range(5)
ONLY_4X4, TX_MODE_LARGEST, TX_MODE_SELECT = range(3)

# Transform types (spec 6.10.19): the name gives the vertical transform first.
DCT_DCT, ADST_DCT, DCT_ADST, ADST_ADST = range(4)
FLIPADST_DCT, DCT_FLIPADST, FLIPADST_FLIPADST, ADST_FLIPADST, FLIPADST_ADST = range(4, 9)
IDTX, V_DCT, H_DCT, V_ADST, H_ADST, V_FLIPADST, H_FLIPADST = range(9, 16)

# Transform sets (spec 5.11.48) for intra and for inter blocks.
TX_SET_DCTONLY, TX_SET_INTRA_1, TX_SET_INTRA_2 = range(3)
TX_SET_INTER_1, TX_SET_INTER_2, TX_SET_INTER_3 = range(1, 4)
MAX_VARTX_DEPTH = 2

# Transform classes (spec 8.3.2).
TX_CLASS_2D, TX_CLASS_HORIZ, TX_CLASS_VERT = range(3)

# Chroma from luma signs (spec 6.10.36).
CFL_SIGN_ZERO, CFL_SIGN_NEG, CFL_SIGN_POS = range(3)

# Frame types (spec 6.8.2).
KEY_FRAME, INTER_FRAME, INTRA_ONLY_FRAME, SWITCH_FRAME = range(4)

# Loop restoration (spec 6.10.15): FrameRestorationType.
RESTORE_NONE, RESTORE_WIENER, RESTORE_SGRPROJ, RESTORE_SWITCHABLE = range(4)

# Tiles (spec section 3).
MAX_TILE_WIDTH = 4096
MAX_TILE_AREA = 4096 * 2304
MAX_TILE_COLS = MAX_TILE_ROWS = 64
SB_SIZE = 64
MI_SIZE = 4

# Coefficients (spec section 3).
NUM_BASE_LEVELS = 2
COEFF_BASE_RANGE = 12
