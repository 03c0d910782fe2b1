import numpy as np
import pytest

from refold.settings.augment import Augment
from refold.train.augment import Augmenter
from refold.train.sampler import Feed, Sampler

OFF = Augment(
    **{
        k: {"p": 0}
        for k in (
            "rotation",
            "scaling",
            "crop",
            "flip",
            "noise",
            "blur",
            "brightness",
            "contrast",
            "low_resolution",
            "gamma",
            "gamma_inverted",
        )
    }
)


def sampler(fold, augment=None, **changes):
    values = {
        "cases": fold.training,
        "statistics": fold.statistics,
        "augmenter": Augmenter(augment or Augment(), 3),
        "patch": (8, 8, 8),
        "batch_size": 2,
        "samples_per_epoch": 4,
        "foreground_fraction": 0.33,
        "seed": 1,
        "fold": 0,
    }
    values.update(changes)
    if len(values["patch"]) == 2:
        values["augmenter"] = Augmenter(augment or Augment(), 2)
    return Sampler(**values)


def test_every_case_once_before_any_again(fold):
    s = sampler(fold, samples_per_epoch=7)
    order = s.order(0)
    assert s.steps == 4 and len(order) == 8
    assert sorted(order[:4]) == [(f"case{i}", 0) for i in range(4)]
    assert sorted(order[4:]) == [(f"case{i}", 1) for i in range(4)]
    assert s.order(0) == order and s.order(1) != order


def test_workers_and_order_change_no_patch(fold):
    s = sampler(fold, samples_per_epoch=8)
    batches = {}
    for workers in (0, 1, 3):
        feed = Feed(s, workers)
        batches[workers] = list(feed.epoch(2))
        feed.close()
    for workers in (1, 3):
        for (a, b), (c, d) in zip(batches[0], batches[workers], strict=True):
            assert a.tobytes() == c.tobytes() and b.tobytes() == d.tobytes()


def test_a_patch_depends_on_epoch_case_and_repeat_only(fold):
    s = sampler(fold)
    a, _ = s.sample(3, "case1", 0)
    s.sample(1, "case2", 0)
    assert (s.sample(3, "case1", 0)[0] == a).all()
    assert (s.sample(4, "case1", 0)[0] != a).any() and (s.sample(3, "case1", 1)[0] != a).any()


def test_forced_foreground_is_in_the_patch(fold):
    s = sampler(fold, OFF, foreground_fraction=1.0, patch=(4, 4, 4))
    assert all(s.sample(0, case, r)[1].any() for case in fold.training for r in range(10))


def test_patches_are_cut_from_the_image(fold):
    s = sampler(fold, OFF, patch=(6, 6, 6))
    image, label = s.sample(0, "case0", 0)
    whole, truth = fold.training["case0"].image[...], fold.training["case0"].label[...]
    found = [
        c
        for c in np.ndindex(*(n - 5 for n in truth.shape))
        if (whole[tuple(slice(i, i + 6) for i in c)] == image).all()
    ]
    assert len(found) == 1
    assert (truth[tuple(slice(i, i + 6) for i in found[0])] == label).all()


def test_all_places_are_drawn(fold):
    s = sampler(fold, OFF, patch=(12, 14, 10), foreground_fraction=0.0)
    starts = {
        tuple((s._centre(fold.training["case0"], np.random.default_rng(i)) - (np.array(s.patch) - 1) / 2).round())
        for i in range(400)
    }
    assert {x[0] for x in starts} == {0, 1, 2} and {x[1] for x in starts} == {0, 1, 2}


def test_slices_of_a_volume_for_a_2d_network(fold):
    s = sampler(fold, OFF, patch=(14, 16), foreground_fraction=0.5)
    image, label = s.sample(0, "case0", 0)
    assert image.shape == (14, 16, 1) and label.shape == (14, 16)
    whole = fold.training["case0"].image[...]
    assert sum((whole[:, :, z] == image).all() for z in range(whole.shape[2])) == 1
    zs = {float(s._centre(fold.training["case0"], np.random.default_rng(i))[2]) for i in range(300)}
    assert zs <= set(map(float, range(12))) and len(zs) == 12


def test_a_failing_patch_is_reported_not_swallowed(fold):
    s = sampler(fold, cases={"gone": None})
    feed = Feed(s, 1)
    with pytest.raises(AttributeError):
        list(feed.epoch(0))
    feed.close()
