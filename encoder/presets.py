"""Speed presets: what --speed chooses, as data.

BD-rate on Y-PSNR against rav1e -s 10, of two real clips (a cartoon 1280x720, a street 768x576), 60 frames, quantizers 80, 120, 160,
200, by the commands in the README; there the times are, too, for they belong to a run.

9, 10   FASTEST      -32.3 %: the partition of inter frames is planned, not searched: a block is coded once; so is that of key
                     frames where every frame is one, about twice as fast for 14 to 16 % more bits
7, 8    FAST         -43.9 %: the partition is searched, one candidate of a block is coded, one pair of references tried, vectors
                     fitted, the regular filter only; base frames are searched as MEDIUM does
6       MEDIUM       -45.9 %: two coded candidates with a second NEARMV, more splits, four references and all pairs of them,
                     filters by block; base frames are searched as THOROUGH does
4, 5    THOROUGH     -46.9 %: vectors searched for every reference, earlier splits, three candidates, five transform types, all
                     planes of all frames restored
0 to 3  EXHAUSTIVE   deblocking levels of base frames searched, self guided restoration in units of three sizes, four candidates

What bought most for its time, BD-rate of the cartoon and of the street: luma of base frames restored -3.5 and -0.8 % for 2 % more
time (FASTEST), where the other layers bring nothing; intra prediction tried at intra_shift 6 instead of 5 -1.3 and -0.1 % for 6 %
(MEDIUM); base frames searched by the next preset -1.0 and -1.2 % for 6 % (FAST), -1.8 and -1.2 % for 17 % (MEDIUM).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """How thoroughly a tile is searched; the fields are words of the tile. Steps are quantizer steps, ac_q / 8.

    flat_divisor  a block is not split if its variance a sample is at most the squared step by this
    busy_factor   an 8x8 block is tried as four 4x4 ones from so many squared steps of variance a sample on
    good_shift    only common modes are tried where one leaves at most 8 / 2**good_shift steps a sample
    close_shift   the second best prediction is coded too if it costs at most 1 / 2**close_shift more

    Of inter frames:
    smallest_level    of blocks: 1 is 8x8, 2 is 16x16
    coded_candidates  how many of the ranked predictions are coded
    near_vectors      how many NEARMV of a reference's motion vector stack are tried
    pairs             1: one pair of references is tried, 2: all with the best single one
    pair_modes        how many of the modes of a pair are tried
    inter_tx_types    how many transform types are tried up to 16x16
    intra_shift       intra prediction is tried from a SATD of 8 / 2**intra_shift steps a sample on
    fitted_vectors    1: where between samples a vector points is found by a parabola through the costs of whole samples, and
                      searched for the best candidate alone; 0: it is searched for every reference
    split_eob         a 16x16 block is split if its luma has at least so many coefficients
    skip_split_rate   a block without coefficients is split if it costs more than so many 1/512 bit
    hopeless          a reference is not searched if its first vectors cost more than so many eighths beyond the best candidate;
                      0: all are. Where the partition is planned, one that the plan sees so far behind is not tried at all

    planned           1: the partition is planned from source pictures, and each block decided by SATD just before it is coded
                      (tile/partition_plan.py), in inter frames and where every frame is a key frame (choices.FrameChoices);
                      0: it is searched by coding (tile/search.py). Where it is planned:
    plan_rate         1/512 bit that a block of the plan is taken to cost beside its residual
    enough_shift      a prediction that leaves at most 8 / 2**enough_shift steps a sample ends the search

    rates_interval    rates follow the adapted CDFs after so many superblocks
    """

    flat_divisor: int
    busy_factor: int
    good_shift: int
    close_shift: int
    smallest_level: int
    coded_candidates: int
    near_vectors: int
    pairs: int
    pair_modes: int
    inter_tx_types: int
    intra_shift: int
    fitted_vectors: int
    split_eob: int
    skip_split_rate: int
    planned: int
    plan_rate: int
    hopeless: int
    enough_shift: int
    rates_interval: int


@dataclass(frozen=True, slots=True)
class SpeedPreset:
    """What a speed uses.

    search                the search in the tiles
    base_search           that of frames of layer 0, which take most of the bits and a small part of the time
    references            how many references of a frame are searched, at most
    cdef                  "fastest", "fast", "medium" or "thorough": the search of CDEF strengths (cdef_search)
    temporal_reach        base frames are cleaned, before they are coded, along the motion of so many pictures on each side
    switchable_filter     blocks choose their interpolation filter
    use_ref_frame_mvs     motion vectors are predicted from earlier frames too
    high_precision_below  motion vectors in 1/8 samples in frames of a lower quantizer index than this
    restoration           the search of loop restoration: "fast" (luma), "medium" (all planes), "thorough"
    restored_layers       so many layers of the pyramid are restored; 0: none
    deblock_search        the deblocking levels of base frames are searched
    """

    search: SearchEffort
    base_search: SearchEffort
    references: int
    cdef: str
    temporal_reach: int
    switchable_filter: bool
    use_ref_frame_mvs: bool
    high_precision_below: int
    restoration: str
    restored_layers: int
    deblock_search: bool


_FASTEST_SEARCH = SearchEffort(
    flat_divisor=4, busy_factor=2, good_shift=4, close_shift=5,
    smallest_level=1, coded_candidates=1, near_vectors=1,
    pairs=1, pair_modes=2, inter_tx_types=1, intra_shift=7, fitted_vectors=1, split_eob=12, skip_split_rate=8192,
    planned=1, plan_rate=4096, hopeless=6, enough_shift=8, rates_interval=16,
)  # fmt: skip
_FAST_SEARCH = SearchEffort(
    flat_divisor=4, busy_factor=2, good_shift=3, close_shift=5,
    smallest_level=1, coded_candidates=1, near_vectors=1,
    pairs=1, pair_modes=2, inter_tx_types=1, intra_shift=6, fitted_vectors=1, split_eob=12, skip_split_rate=8192,
    planned=0, plan_rate=0, hopeless=6, enough_shift=0, rates_interval=16,
)  # fmt: skip
_MEDIUM_SEARCH = SearchEffort(
    flat_divisor=8, busy_factor=2, good_shift=4, close_shift=4,
    smallest_level=1, coded_candidates=2, near_vectors=2,
    pairs=2, pair_modes=5, inter_tx_types=2, intra_shift=6, fitted_vectors=1, split_eob=6, skip_split_rate=6144,
    planned=0, plan_rate=0, hopeless=0, enough_shift=0, rates_interval=4,
)  # fmt: skip
_THOROUGH_SEARCH = SearchEffort(
    flat_divisor=16, busy_factor=1, good_shift=8, close_shift=3,
    smallest_level=1, coded_candidates=3, near_vectors=3,
    pairs=2, pair_modes=5, inter_tx_types=5, intra_shift=6, fitted_vectors=0, split_eob=2, skip_split_rate=4096,
    planned=0, plan_rate=0, hopeless=0, enough_shift=0, rates_interval=4,
)  # fmt: skip
_EXHAUSTIVE_SEARCH = SearchEffort(
    flat_divisor=16, busy_factor=1, good_shift=8, close_shift=3,
    smallest_level=1, coded_candidates=4, near_vectors=3,
    pairs=2, pair_modes=5, inter_tx_types=5, intra_shift=6, fitted_vectors=0, split_eob=1, skip_split_rate=2048,
    planned=0, plan_rate=0, hopeless=0, enough_shift=0, rates_interval=4,
)  # fmt: skip

FASTEST = SpeedPreset(
    search=_FASTEST_SEARCH, base_search=_FASTEST_SEARCH,
    references=2, cdef="fastest", temporal_reach=2, switchable_filter=False, use_ref_frame_mvs=False,
    high_precision_below=0, restoration="fast", restored_layers=1, deblock_search=False,
)  # fmt: skip
FAST = SpeedPreset(
    search=_FAST_SEARCH, base_search=_MEDIUM_SEARCH,
    references=2, cdef="fast", temporal_reach=3, switchable_filter=False, use_ref_frame_mvs=True,
    high_precision_below=0, restoration="fast", restored_layers=1, deblock_search=False,
)  # fmt: skip
MEDIUM = SpeedPreset(
    search=_MEDIUM_SEARCH, base_search=_THOROUGH_SEARCH,
    references=4, cdef="medium", temporal_reach=3, switchable_filter=True, use_ref_frame_mvs=True,
    high_precision_below=100, restoration="fast", restored_layers=1, deblock_search=False,
)  # fmt: skip
THOROUGH = SpeedPreset(
    search=_THOROUGH_SEARCH, base_search=_THOROUGH_SEARCH,
    references=4, cdef="thorough", temporal_reach=3, switchable_filter=True, use_ref_frame_mvs=True,
    high_precision_below=128, restoration="medium", restored_layers=5, deblock_search=False,
)  # fmt: skip
EXHAUSTIVE = SpeedPreset(
    search=_EXHAUSTIVE_SEARCH, base_search=_EXHAUSTIVE_SEARCH,
    references=4, cdef="thorough", temporal_reach=3, switchable_filter=True, use_ref_frame_mvs=True,
    high_precision_below=128, restoration="thorough", restored_layers=5, deblock_search=True,
)  # fmt: skip


def speed_preset(speed: int) -> SpeedPreset:
    """The preset of a speed, 0 to 10."""
    if speed <= 3:
        return EXHAUSTIVE
    if speed <= 5:
        return THOROUGH
    if speed == 6:
        return MEDIUM
    return FAST if speed <= 8 else FASTEST
