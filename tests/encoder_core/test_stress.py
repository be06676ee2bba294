"""Every decision at random: whatever the syntax allows us to write, decoders show as we reconstruct it."""

import pytest

from encoder.kernels.load import load_kernels
from encoder.stress import encode_stress
from encoder.tile import stress

from .judges import assert_both_decoders_agree, collect, decode_by_libdav1d, samples_of

pytestmark = pytest.mark.usefixtures("compiled_kernels")
SEEDS_A_TEST = 100


@pytest.mark.parametrize("seed", range(2000, 2030))
def test_a_random_stream_decodes_to_the_reconstruction(seed: int) -> None:
    units, expected = [], []
    for packet in encode_stress(seed)[1]:
        units.append(packet.data)
        expected.append(samples_of(packet.reconstruction))
    assert decode_by_libdav1d(units) == expected


@pytest.mark.parametrize("seed", [5, 11])
def test_the_sets_draw_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("encoder.stress.SIZES", ((8, 24),))
    streams = [collect(encode_stress(seed, kernels)[1]) for kernels in ("numba", "numpy", "python")]
    assert streams[0] == streams[1] == streams[2]


def test_the_streams_reach_golomb_codes_and_all_transforms() -> None:
    """The dice are fair enough: over some seeds every type, size and mode is drawn, and levels beyond the base range."""

    class Draws:
        dc_q = ac_q = 4
        tx_mode_select, reduced_tx_set, mi_stride = 1, 0, 16

        def __init__(self) -> None:
            import numpy as np

            from encoder.tile.state import _SCANS, BLOCK_INFO

            self.draw = np.array([99, 0])
            self.scans = _SCANS
            for name in BLOCK_INFO:
                setattr(self, name, np.zeros(256, np.int64))

    t = Draws()
    seen = {name: set() for name in ("y_mode", "uv_mode", "tx_size", "tx_type", "angle_y", "cfl_alpha_u")}
    largest = 0
    for i in range(600):
        stress.draw_block(t, 0, 0, (0, 3, 6, 9, 12)[i % 5])
        for name in seen:
            seen[name].add(int(getattr(t, name)[0]))
        levels = [0] * 1024
        stress.draw_levels(t, levels, i % 5, 0, 0)
        largest = max(largest, *map(abs, map(int, levels)))
    assert seen["y_mode"] == set(range(13)) and seen["uv_mode"] == set(range(14))
    assert seen["tx_size"] == set(range(5)) and seen["tx_type"] == {0, 1, 2, 3, 9, 10, 11}
    assert seen["angle_y"] == set(range(-3, 4)) and len(seen["cfl_alpha_u"]) > 20
    assert largest > 200


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, SEEDS_A_TEST))
def test_both_decoders_agree_on_random_streams(first: int, tmp_path) -> None:
    for seed in range(first, first + SEEDS_A_TEST):
        data, frames = collect(encode_stress(seed)[1])
        assert_both_decoders_agree(data, frames, tmp_path, f"seed {seed}")


def test_checked_kernels_stop_at_the_first_difference(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from encoder.config import EncoderConfig
    from encoder.errors import KernelError
    from encoder.stream import encode

    from .judges import pictures

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def zero(a, a_at, a_stride, b, b_at, b_stride, w, h):\n    return 0\n")
    config = EncoderConfig(width=16, height=16, kernels="check:numpy,satd=mine.py:zero")
    with pytest.raises(KernelError, match=r"kernel satd differs from the python set: .* called with a_at="):
        list(encode(pictures("edges", 16, 16), config))
    assert load_kernels("check:numpy").interpreted
