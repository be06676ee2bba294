"""What a frame's place in the structure means for its tools."""

import pytest

from encoder.config import EncoderConfig
from encoder.frame.choices import LAYER_Q, FrameChoices, choose
from encoder.frame.gop import FramePlan
from encoder.presets import FAST, FASTEST, MEDIUM, speed_preset
from encoder.spec import INTER_FRAME, KEY_FRAME, PRIMARY_REF_NONE


def chosen(frame_type: int, layer: int, speed: int, **settings: int) -> FrameChoices:
    plan = FramePlan(
        display_index=16, frame_type=frame_type, layer=layer, is_leaf=False, mini_gop=16, show_frame=True,
        refresh_frame_flags=0, ref_frame_idx=(0,) * 7, primary_ref_frame=PRIMARY_REF_NONE, search_refs=(),
    )  # fmt: skip
    return choose(EncoderConfig(width=64, height=64, speed=speed, **settings), plan)


@pytest.mark.parametrize("speed", range(11))
@pytest.mark.parametrize("layer", range(len(LAYER_Q)))
def test_base_frames_have_their_own_search_and_restoration(speed: int, layer: int):
    preset, choices = speed_preset(speed), chosen(INTER_FRAME, layer, speed)
    assert choices.search is (preset.base_search if layer == 0 else preset.search)
    assert (choices.restoration_effort is not None) == (layer < preset.restored_layers)
    assert choices.search_words()["coded_candidates"] == choices.search.coded_candidates


def test_speeds_eight_and_six_search_bases_as_the_next_slower_one_searches_all():
    assert (FAST.base_search, FASTEST.base_search) == (MEDIUM.search, FASTEST.search)
    assert MEDIUM.base_search == speed_preset(5).search


@pytest.mark.parametrize("speed", (10, 8, 6))
def test_a_key_frame_is_worth_more_where_others_refer_to_it(speed: int):
    preset = speed_preset(speed)
    referred, alone = chosen(KEY_FRAME, 0, speed), chosen(KEY_FRAME, 0, speed, keyint=1)
    assert (referred.search, alone.search) == (preset.base_search, preset.search)
    assert (referred.planned, alone.planned) == (False, speed == 10)
    assert referred.base_q_idx < alone.base_q_idx
