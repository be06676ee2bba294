"""From kernels to the whole: Amdahl's arithmetic, the interval's coverage, the score."""

import math

import numpy as np
import pytest

from workbench.analysis.prediction import (
    MODEL_SPREAD,
    Part,
    Prediction,
    Scored,
    hit_rate,
    model_spread,
    predict,
    standard_error,
)
from workbench.errors import InputError


def part(ratio: float, share: float, seed: int = 0, spread: float = 0.004, frames: int = 20) -> Part:
    stream = np.random.RandomState(seed)
    pairs = math.log(ratio) + spread * stream.standard_normal(25)
    return Part("satd", pairs.tolist(), (share * (1 + 0.1 * stream.standard_normal(frames))).tolist())


def test_a_fifth_of_the_time_that_halves_saves_a_tenth() -> None:
    found = predict([part(0.5, 0.2)], [1.0] * 20)
    assert found.ratio == pytest.approx(0.9, abs=0.01) and found.share == pytest.approx(0.2, abs=0.01)
    assert found.low < found.ratio < found.high < 1
    assert found.gain == pytest.approx((1 / found.high - 1, 1 / found.low - 1)) and found.gain[0] < found.gain[1]
    assert predict([part(0.5, 0.2)], [1.0] * 20) == found


def test_kernels_add_up() -> None:
    found = predict([part(0.5, 0.2), part(1.5, 0.2, 1)], [1.0] * 20)
    assert found.ratio == pytest.approx(1.0, abs=0.02) and found.share == pytest.approx(0.4, abs=0.02)


def test_noise_of_the_whole_and_of_the_model_widen_the_interval() -> None:
    def width(**options: float) -> float:
        found = predict([part(0.8, 0.3)], [1.0] * 20, **options)
        return found.high - found.low

    assert width(spread=0.0) < width() < width(measured_spread=0.02)
    assert width(spread=0.0) < width(spread=0.5)


def test_what_cannot_be_predicted_is_said() -> None:
    with pytest.raises(InputError, match="satd: 5 pairs are too few"):
        predict([Part("satd", [0.1] * 5, [0.1])], [1.0])
    with pytest.raises(InputError, match="nothing to predict from"):
        predict([], [1.0])
    with pytest.raises(InputError, match="nothing to predict from"):
        predict([Part("satd", [0.1] * 6, [])], [])


def test_the_interval_holds_the_measured_ratio_about_as_often_as_it_says() -> None:
    stream = np.random.RandomState(5)
    hits = 0
    for trial in range(150):
        true_ratio, true_share = stream.uniform(1.02, 1.5), stream.uniform(0.05, 0.4)
        frames = true_share * (1 + 0.2 * stream.standard_normal(24))
        pairs = math.log(true_ratio) + 0.01 * stream.standard_normal(20)
        change = true_share * (true_ratio - 1) * (1 + MODEL_SPREAD * stream.standard_normal())
        measured = (1 + change) * math.exp(0.005 * stream.standard_normal())
        found = predict([Part("k", pairs.tolist(), frames.tolist())], [1.0] * 24, 0.005, seed=trial)
        hits += found.hit(measured)
    assert 0.83 <= hits / 150 <= 0.96


def test_standard_error_is_that_of_the_estimate() -> None:
    values = 0.01 * np.random.RandomState(4).standard_normal(60)
    assert standard_error(values.tolist()) == pytest.approx(0.01 / math.sqrt(60), rel=0.3)
    assert math.isnan(standard_error([0.1] * 5))


def test_the_history_teaches_how_far_bench_and_encode_lie_apart() -> None:
    def scored(part_of: float) -> Scored:
        return Scored(Prediction(1.05, 1.0375, 1.0625, 0.5), 1 + 0.05 * part_of)

    wide = [scored(value) for value in (0.5, 0.8, 1.0, 1.2, 1.5, 0.7, 1.3, 0.9)]
    assert model_spread(wide) > 2 * MODEL_SPREAD
    assert model_spread([scored(1.0)] * 8) == MODEL_SPREAD / 5
    assert model_spread(wide[:7]) == model_spread([Scored(Prediction(1.0, 0.9, 1.1, 0.0), 1.0)] * 9) == MODEL_SPREAD
    assert hit_rate(wide)[:2] == (4, 8)
    assert hit_rate([]) == (0, 0, None)
