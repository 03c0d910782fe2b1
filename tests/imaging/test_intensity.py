import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.imaging import intensity


def rng():
    return np.random.default_rng(5)


def test_modes():
    assert intensity.modes("auto", ("CT", "MRI", "T1")) == ("ct", "zscore", "zscore")
    assert intensity.modes("minmax", ("CT", "PET")) == ("minmax", "minmax")
    assert intensity.modes(["ct", "none"], ("CT", "PET")) == ("ct", "none")
    with pytest.raises(RefoldError, match="1 channels, the data have 2"):
        intensity.modes(["ct"], ("CT", "PET"))


def test_each_mode_by_hand():
    image = np.stack([np.array([[0.0, 2.0], [4.0, 6.0]])] * 4, -1)
    got, messages = intensity.normalise(image, ("zscore", "minmax", "none", "ct"))
    assert messages == []
    sd = np.sqrt(5)  # of 0 2 4 6
    assert np.allclose(got[..., 0], [[-3 / sd, -1 / sd], [1 / sd, 3 / sd]])
    assert np.allclose(got[..., 1], [[0, 1 / 3], [2 / 3, 1]])
    assert np.array_equal(got[..., 2], image[..., 2])
    assert np.array_equal(got[..., 3], image[..., 3])
    assert got.dtype == np.float32


def test_the_input_is_not_changed():
    image = rng().normal(size=(4, 4, 1)).astype(np.float32)
    before = image.copy()
    intensity.normalise(image, ("zscore",))
    assert np.array_equal(image, before)


def test_zscore_inside_the_mask_alone():
    image = rng().normal(7, 3, (10, 10, 2)).astype(np.float32)
    mask = np.zeros((10, 10), bool)
    mask[2:7, 3:9] = True
    got, _ = intensity.normalise(image, ("zscore", "minmax"), mask)
    assert abs(got[mask][:, 0].mean()) < 1e-5 and abs(got[mask][:, 0].std() - 1) < 1e-5
    assert (got[~mask][:, 0] == 0).all()
    assert (got[..., 1].min(), got[..., 1].max()) == (0, 1)


@pytest.mark.parametrize("mode", ("zscore", "minmax"))
def test_constant_channel_becomes_zero_and_says_so(mode):
    got, messages = intensity.normalise(np.full((3, 3, 2), 5.0), ("none", mode))
    assert (got[..., 1] == 0).all() and (got[..., 0] == 5).all()
    assert len(messages) == 1 and "channel 1" in messages[0]


def test_large_intensities_keep_their_precision():
    image = (1.7e6 + rng().normal(size=(50, 50, 1)) * 10).astype(np.float32)
    got, _ = intensity.normalise(image, ("zscore",))
    exact = image.astype(np.float64)
    assert np.allclose(got, (exact - exact.mean()) / exact.std(), atol=1e-5)


def test_ct_statistics_equal_numpy_and_clip():
    samples = [rng().normal(40, 60, (n, 2)).astype(np.float32) for n in (500, 30, 0)]
    statistics = intensity.fit(samples, ("ct", "zscore"))
    column = np.concatenate(samples)[:, 0].astype(float)
    low, high = np.percentile(column, 0.5), np.percentile(column, 99.5)
    assert (statistics.p0_5[0], statistics.p99_5[0]) == (low, high)
    assert (statistics.mean[0], statistics.sd[0]) == (pytest.approx(column.mean()), pytest.approx(column.std()))
    assert statistics.mean[1] is None and statistics.cases == 3

    image = rng().normal(40, 300, (6, 6, 6, 2)).astype(np.float32)
    got = intensity.apply(image, statistics)
    want = (image[..., 0].clip(low, high) - column.mean()) / column.std()
    assert np.allclose(got[..., 0], want, atol=1e-5)
    assert np.array_equal(got[..., 1], image[..., 1])


@pytest.mark.parametrize("mode", ["zscore", "minmax"])
@pytest.mark.parametrize("factor", [2.0**-110, 1e-11, 1.0, 2.0**110])
def test_the_unit_of_the_intensities_is_no_matter(mode, factor):
    """Squares of 1e33 are beyond single precision, and standard deviations of 1e-33 under any fixed epsilon."""
    image = rng().normal(100, 8, (9, 9, 9, 1)).astype(np.float32)
    want, _ = intensity.normalise(image, (mode,))
    got, messages = intensity.normalise((image * np.float64(factor)).astype(np.float32), (mode,))
    assert not messages and np.allclose(got, want, atol=2e-5)
    assert want.std() == pytest.approx(1 if mode == "zscore" else 0.16, rel=0.05)


@pytest.mark.parametrize("factor", [2.0**-60, 2.0**60])
def test_the_unit_of_ct_is_no_matter(factor):
    image = rng().normal(40, 60, (9, 9, 9, 1))
    want = intensity.apply(image, intensity.fit([image.reshape(-1, 1)], ("ct",)))
    got = intensity.apply(image * factor, intensity.fit([image.reshape(-1, 1) * factor], ("ct",)))
    assert np.array_equal(got, want) and 0.9 < want.std() < 1


@pytest.mark.parametrize("odd", [0, 1])
def test_ct_of_one_intensity_is_refused(odd):
    """Also where one voxel of 600 differs: the percentiles 0.5 and 99.5 are what the image is clipped to."""
    told = "in channel 0 over 99 % of the foreground of the training cases has the intensity 7; clipped to the perc"
    samples = [np.full((300, 1), 7.0), np.full((300, 1), 7.0)]
    samples[1][:odd] = 9
    with pytest.raises(RefoldError, match=told):
        intensity.fit(samples, ("ct",))


def test_ct_statistics_follow_the_cases_given():
    train = [rng().normal(0, 1, (100, 1)), rng().normal(5, 1, (100, 1))]
    held_out = np.full((100, 1), 1e6)
    assert intensity.fit(train, ("ct",)).p99_5[0] < 10
    assert intensity.fit([*train, held_out], ("ct",)).p99_5[0] == 1e6


def test_statistics_as_json():
    statistics = intensity.fit([rng().normal(size=(50, 3))], ("ct", "none", "ct"))
    assert intensity.Statistics.from_json(statistics.to_json()) == statistics


def test_without_ct_nothing_is_learnt():
    statistics = intensity.fit([], ("zscore",))
    image = np.ones((2, 2, 1), np.float32)
    assert intensity.apply(image, statistics) is image


def test_ct_without_foreground_is_refused():
    with pytest.raises(RefoldError, match="the training cases have none"):
        intensity.fit([np.empty((0, 1))], ("ct",))
