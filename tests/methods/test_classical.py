"""The classical methods: what all of them keep, and each against what is known."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from refold.classical.features import Sample, features, parted
from refold.classical.forest import Forest
from refold.classical.graph_cut import cut, energy, minimum_cut, neighbours
from refold.classical.prior import Place
from refold.classical.region_growing import grow
from refold.classical.seeds import Appearance, best_setting, label_dice, mixed, seeds
from refold.classical.watershed import flood
from refold.core.errors import RefoldError
from refold.experiment.params import KINDS
from refold.imaging import intensity
from refold.settings.predict import Predict
from tests import folds

LEARNT = ("atlas", "graph_cut", "random_forest", "region_growing", "svm", "watershed")
SMALL = {
    "random_forest": {"trees": 8, "sigmas": [1.0]},
    "graph_cut": {"trees": 8, "sigmas": [1.0], "smoothness": [0.5, 1.0]},
    "svm": {"landmarks": 60, "sigmas": [1.0]},
}
# Dice on a case of the inner validation; the balls and cubes move by a voxel, which the atlas cannot know
LEAST = {"atlas": 0.5, "graph_cut": 0.9, "random_forest": 0.85, "region_growing": 0.8, "svm": 0.85, "watershed": 0.7}
SHAPES = {2: (14, 16), 3: (14, 16, 12)}


def create(kind: str, **more):
    return KINDS[kind](**{**SMALL.get(kind, {}), **more}).create(Predict())


@pytest.mark.parametrize("kind", LEARNT)
def test_it_learns_from_volumes_of_one_slice(kind, tmp_path):
    with folds.opened(tmp_path / "data", 5, 1, shape=(14, 16, 1)) as fold:
        model = create(kind)
        model.fit(fold)
        (case,) = fold.validation.values()
        p = model.predict_proba(fold.image(case))
        assert p.shape == (14, 16, 1, 3) and np.isfinite(p).all()
        assert np.mean(label_dice(p.argmax(-1), case.label[...], 3)) > LEAST[kind] - 0.1


def test_regions_grow_alike_in_any_unit():
    """Seeds of one intensity have a spread of a thousandth of the image's, whatever the unit."""
    channel = np.array([[0, 0, 0, 5, 5.001, 5.2, 9, 9]])
    markers = np.array([[1, 0, 0, 2, 0, 0, 0, 0]])
    allowed, posterior = np.ones((1, 8, 2), bool), np.full((1, 8, 2), 0.5)
    for unit in (1e-11, 1.0, 1e11):
        got = grow(channel * unit, markers, allowed, posterior, 1.0)
        assert got.tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]]


def test_these_are_all_classical_kinds_but_the_threshold():
    classical = {k for k, v in KINDS.items() if v.trained and not v.network}
    assert classical == {*LEARNT, "threshold"}


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("kind", LEARNT)
def test_it_learns_comes_back_and_has_the_same_bytes_twice(kind, dimension, tmp_path):
    with folds.opened(tmp_path / "data", 5, 1, shape=SHAPES[dimension], channels=2) as fold:
        model = create(kind)
        facts = model.fit(fold)
        assert isinstance(facts, dict)
        (case,) = fold.validation.values()
        image, truth = fold.image(case), case.label[...]
        p = model.predict_proba(image)
        assert p.shape == (*truth.shape, 3) and p.dtype == np.float32
        np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
        assert p.min() >= 0
        assert np.mean(label_dice(p.argmax(-1), truth, 3)) > LEAST[kind]
        model.save(tmp_path / "a")
        again = create(kind)
        again.fit(fold)
        again.save(tmp_path / "b")
    assert (tmp_path / "a" / model.file).read_bytes() == (tmp_path / "b" / model.file).read_bytes()
    loaded = create(kind)
    loaded.load(tmp_path / "a", {})
    np.testing.assert_array_equal(loaded.predict_proba(image), p)
    other = image[1:, :-2]
    assert loaded.predict_proba(other).shape == (*other.shape[:-1], 3)


@pytest.mark.parametrize("kind", ["random_forest", "svm", "graph_cut"])
def test_the_seed_counts(kind, tmp_path):
    with folds.opened(tmp_path / "data", 4, 0, shape=SHAPES[2]) as fold:
        for seed in (1, 2):
            model = create(kind, seed=seed, samples=60)
            model.fit(fold)
            model.save(tmp_path / str(seed))
    assert (tmp_path / "1" / model.file).read_bytes() != (tmp_path / "2" / model.file).read_bytes()


@pytest.mark.parametrize("kind", LEARNT)
def test_other_files_are_refused(kind, tmp_path):
    path = tmp_path / "model.npz"
    for content in (None, b"", b"PK\x03\x04 broken", "array", "other kind"):
        path.unlink(missing_ok=True)
        if content == "array":
            np.savez(path, values=np.zeros(3))
        elif content == "other kind":
            other = next(k for k in LEARNT if k != kind)
            with folds.opened(tmp_path / "data", 4, 0, shape=SHAPES[2]) as fold:
                model = create(other)
                model.fit(fold)
            model.save(tmp_path)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(RefoldError, match=rf"model\.npz holds no {kind} model of this version; train it again"):
            create(kind).load(tmp_path, {})


@pytest.mark.parametrize("kind", ["region_growing", "watershed"])
def test_a_channel_that_is_not_there_is_told(kind):
    assert KINDS[kind](channel=2).unsuited("phantom", 2, 3) == [
        ("channel", "2 is not allowed; phantom has the channels 0 to 1")
    ]


# ---------------------------------------------------------------- features


def test_features_of_a_ramp_and_a_bowl_by_hand():
    """Far from the borders smoothing leaves a ramp alone, and a bowl but for a constant."""
    x, y, z = np.meshgrid(*(np.arange(25.0),) * 3, indexing="ij")
    middle = np.ravel_multi_index((12, 12, 12), x.shape)
    ramp = features((2 * x + 3 * y - 6 * z)[..., None], [1.0], False)
    assert ramp.shape == (25**3, 1 + 2 + 3) and ramp.dtype == np.float32
    value, smooth, slope, *curved = ramp[middle]
    assert value == smooth == 2 * 12 + 3 * 12 - 6 * 12
    assert slope == pytest.approx(7, rel=1e-3)
    np.testing.assert_allclose(curved, 0, atol=1e-3)
    # half of x^2 + 4 y^2 - 2 z^2: second derivatives 1, 4 and -2, at scale 2 four times as much
    bowl = features(((x - 12) ** 2 / 2 + 2 * (y - 12) ** 2 - (z - 12) ** 2)[..., None], [2.0], False)
    np.testing.assert_allclose(bowl[middle][3:], [16, 4, -8], rtol=0.05)


def test_places_run_from_side_to_side_and_channels_stand_side_by_side():
    image = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")
    both = features(image, [1.0, 2.0], True)
    assert both.shape == (15, 2 * (1 + 2 * (2 + 2)) + 2)
    np.testing.assert_array_equal(both[:, -2].reshape(5, 3)[:, 0], [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_array_equal(both[:, -1].reshape(5, 3)[0], [-1, 0, 1])
    np.testing.assert_array_equal(both[:, 9:18], features(image[..., 1:], [1.0, 2.0], False))


def test_the_sample_takes_labels_alike_and_weights_make_up_for_it(tmp_path):
    with folds.opened(tmp_path, 3, 0, shape=SHAPES[3]) as fold:
        sizes = sum(np.bincount(c.label[...].ravel(), minlength=3) for c in fold.training.values())
        for balance, expected in ((0.0, sizes / sizes.sum()), (1.0, np.full(3, 1 / 3))):
            settings = KINDS["random_forest"](samples=60, balance=balance, sigmas=[1.0])
            x, y, weight = Sample.draw(fold, settings.look()).of()
            assert np.bincount(y).tolist() == [60, 60, 60] and len(x) == 180
            assert weight.mean() == pytest.approx(1)
            np.testing.assert_allclose(np.bincount(y, weight) / weight.sum(), expected)
        few = Sample.draw(fold, KINDS["random_forest"](samples=30_000, sigmas=[1.0]).look()).of()[1]
        np.testing.assert_array_equal(np.bincount(few), np.minimum(sizes, 30_000))


def test_some_cases_of_a_sample_are_what_they_alone_would_give(tmp_path):
    with folds.opened(tmp_path, 4, 0, shape=SHAPES[2]) as fold:
        settings = KINDS["random_forest"](samples=60, sigmas=[1.0])
        some = Sample.draw(fold, settings.look()).of(["case2", "case0"])
        two = dataclasses.replace(fold, training={n: fold.training[n] for n in ("case0", "case2")})
        for found, alone in zip(some, Sample.draw(two, settings.look()).of(), strict=True):
            np.testing.assert_array_equal(found, alone)


def test_choosing_cases_are_others_than_those_that_teach(tmp_path):
    with folds.opened(tmp_path / "nine", 9, 0, shape=SHAPES[2]) as fold:
        learn, check = parted(fold, 0.25, 1)
        assert len(check) == 2 and sorted(learn + check) == sorted(fold.training)
        assert parted(fold, 0.25, 1) == (learn, check)
        assert {tuple(parted(fold, 0.25, seed)[1]) for seed in range(5)} != {tuple(check)}
    with folds.opened(tmp_path / "one", 1, 0, shape=SHAPES[2]) as fold:
        assert parted(fold, 0.25, 1) == (["case0"], ["case0"])


def test_choosing_cases_are_of_other_patients(tmp_path):
    """Two scans of each of four patients: a patient's second scan looks like the first."""
    patients = {f"case{i}": f"p{i // 2}" for i in range(8)}
    with folds.opened(tmp_path, 8, 0, shape=SHAPES[2], patients=patients) as fold:
        for seed in range(10):
            learn, check = parted(fold, 0.25, seed)
            assert len(check) == 2 and not {patients[n] for n in learn} & {patients[n] for n in check}


def test_a_rare_label_is_on_both_sides(tmp_path):
    """Label 2 in two of eight cases: one teaches it, on the other settings are chosen."""
    with folds.opened(tmp_path, 8, 0, shape=SHAPES[2]) as fold:
        labels = {n: case.label[...] for n, case in fold.training.items()}
        bare = {n: SimpleNamespace(label=np.where(v == 2, 0, v) if n > "case1" else v) for n, v in labels.items()}
        fold = dataclasses.replace(fold, training=bare)
        for seed in range(10):
            learn, check = parted(fold, 0.25, seed)
            assert len({"case0", "case1"} & set(learn)) == len({"case0", "case1"} & set(check)) == 1
        # where only one case has it, the draw is as even as it can be: all teach but two
        fold = dataclasses.replace(fold, training={n: c for n, c in bare.items() if n != "case1"})
        assert len(parted(fold, 0.25, 1)[1]) == 2


def test_the_best_setting_by_hand_and_one_case_at_a_time():
    """Answers of so many voxels, of which 2 are right: Dice 2 / 3, 1 and 4 / 5 for 1, 2 and 3."""
    truth, held = np.array([1, 1, 0, 0]), []

    def cases():
        for _ in range(3):
            held.append(1)
            yield held, truth

    def answer(given, value):
        return (np.arange(4) < value).astype(int)

    assert best_setting([3, 1, 2], answer, cases(), 2, "cases")[:2] == (2, 1.0)
    value, dice, score = best_setting([1, 3], answer, cases(), 2, "cases")
    assert (value, dice) == (3, pytest.approx(0.8))
    # the background: 1 voxel of 2 found, no other taken for it, 2 / 3; everywhere it would have 4 / 6 and 0
    assert (score.cases, score.total) == (3, pytest.approx(3 * (0.8 + 2 / 3) / 2))
    assert score.nothing == pytest.approx(3 * (4 / 6) / 2)
    assert best_setting([0.5, 0.2], answer, cases(), 2, "cases")[0] == 0.2  # of equals the smallest
    assert best_setting([1.0], answer, [], 2, "cases")[:2] == (1.0, 0.0)


# ---------------------------------------------------------------- forest and support vectors


@pytest.mark.parametrize("seed", range(3))
def test_the_forest_answers_as_scikit_learns(seed):
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(seed)
    x, y, weight = random.normal(size=(300, 5)).astype("float32"), random.integers(0, 2, 300) * 2, random.random(300)
    y[x[:, 0] > 0.5] = 0
    own = Forest.grow(x, y, weight, 4, trees=7, depth=6, leaf=2, seed=seed)
    theirs = RandomForestClassifier(7, max_depth=6, min_samples_leaf=2, random_state=seed).fit(x, y, weight)
    new = random.normal(size=(70_000, 5)).astype("float32")
    p = own.predict(new)
    np.testing.assert_allclose(p[:, [0, 2]], theirs.predict_proba(new), atol=1e-12)
    assert not p[:, [1, 3]].any()  # labels that it never saw


def scikit_learns_machine(x, y, weight):
    """A function of raw features: distances from the planes."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.svm import LinearSVC

    mean, spread = x.mean(0, dtype=float), x.std(0, dtype=float)
    kernel = Nystroem("rbf", gamma=1 / x.shape[1], n_components=60, random_state=1)
    machine = LinearSVC(C=1.0, dual=False, random_state=1, max_iter=5000)
    machine.fit(kernel.fit_transform((x - mean) / spread), y, weight)
    return lambda raw: machine.decision_function(kernel.transform((raw - mean) / spread))


def test_the_machine_answers_as_scikit_learns_and_has_learnt_from_all_cases(tmp_path):
    """Probabilities are those of a logistic regression that other patients than the machine's taught."""
    from sklearn.linear_model import LogisticRegression

    with folds.opened(tmp_path, 8, 1, shape=SHAPES[2]) as fold:
        model = create("svm", samples=100)
        facts = model.fit(fold)
        learn, check = parted(fold, 0.25, 1)
        voxels = Sample.draw(fold, model.look)
        (case,) = fold.validation.values()
        image = fold.image(case)
    raw = features(image, [1.0], True)
    distances = scikit_learns_machine(*voxels.of())(raw)
    np.testing.assert_allclose(model._values(raw), distances, atol=1e-6)
    assert facts["voxels"] == len(voxels.of()[0]) and not model.warnings
    x, y, weight = voxels.of(check)
    platt = LogisticRegression(C=1e3, max_iter=2000).fit(scikit_learns_machine(*voxels.of(learn))(x), y, weight)
    expected = platt.predict_proba(distances).reshape(*image.shape[:-1], 3)
    np.testing.assert_allclose(model.predict_proba(image), expected, atol=1e-3)


def test_a_label_that_only_the_choosing_cases_have_is_told(tmp_path):
    """Label 2 in one case: its machine would have had no probabilities to learn, so there is none."""
    with folds.opened(tmp_path, 5, 0, shape=SHAPES[2]) as fold:
        for only in fold.training:
            labels = {n: case.label[...] for n, case in fold.training.items()}
            training = {
                n: SimpleNamespace(image=fold.training[n].image, label=v if n == only else np.where(v == 2, 0, v))
                for n, v in labels.items()
            }
            other = dataclasses.replace(fold, training=training)
            model = create("svm", samples=60)
            facts = model.fit(other)
            learn, check = parted(other, 0.25, 1)
            voxels = Sample.draw(other, model.look)
            image = fold.image(fold.training[only])
            p = model.predict_proba(image)
            np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
            (warning,) = model.warnings
            if only in check:
                assert warning == (
                    "svm: cube is in no case but those that the probabilities were learnt from; the machines learnt "
                    "from the others alone"
                )
                assert facts["voxels"] == len(voxels.of(learn)[0]) and model._values(np.zeros((1, 7))).shape == (1, 1)
            else:
                assert warning.startswith("svm: cube is in no case that its probabilities were learnt from")
                assert facts["voxels"] == len(voxels.of()[0]) and not p[..., 2].any()


def test_the_forest_of_the_field_is_grown_of_all_cases(tmp_path):
    """The smoothness is chosen with one of three quarters of the patients."""
    with folds.opened(tmp_path, 8, 0, shape=SHAPES[2]) as fold:
        model = create("graph_cut")
        facts = model.fit(fold)
        learn, check = parted(fold, 0.25, model.look.seed)
        voxels = Sample.draw(fold, model.look)

        def grown(names):
            return Forest.grow(*voxels.of(names), 3, model.trees, model.depth, model.leaf, model.look.seed)

        for name, values in model.forest.arrays().items():
            np.testing.assert_array_equal(values, grown(None).arrays()[name])
        model.forest = grown(learn)
        images = {n: fold.image(fold.training[n]) for n in check}
        dice = {
            v: np.mean(
                [
                    label_dice(model._cut(image, model._forest(image), v), fold.training[n].label[...], 3)
                    for n, image in images.items()
                ]
            )
            for v in model.tried
        }
    assert facts["choosing_cases"] == check
    assert facts["choosing_dice"] == pytest.approx(max(dice.values()), abs=1e-6)
    assert dice[facts["smoothness"]] == max(dice.values())


# ---------------------------------------------------------------- graph cut


def test_a_minimum_cut_by_hand():
    """Source to 0 of 3, 0 to 1 of 1, 1 to sink of 2: the arc between them is cut. Node 2 could go either way."""
    moved = minimum_cut(np.array([3.0, 0, 0]), np.array([0, 2.0, 0]), np.array([0]), np.array([1]), np.array([1.0]))
    assert moved.tolist() == [False, True, False]
    nothing = np.zeros(2)
    assert not minimum_cut(nothing, nothing, np.array([0]), np.array([1]), np.array([0.0])).any()


@pytest.mark.parametrize("seed", range(4))
def test_a_minimum_cut_costs_what_networkx_says(seed):
    import networkx

    random = np.random.default_rng(seed)
    index = np.arange(60).reshape(3, 4, 5)
    pairs = [
        (index.take(range(n - 1), a).ravel(), index.take(range(1, n), a).ravel()) for a, n in enumerate(index.shape)
    ]
    first, second = (np.concatenate(p) for p in zip(*pairs, strict=True))
    source, sink = random.exponential(size=(2, 60)) * 10.0 ** random.integers(-4, 3)
    weight = random.exponential(size=len(first))
    graph = networkx.DiGraph()
    for node in range(60):
        graph.add_edge("source", node, capacity=source[node])
        graph.add_edge(node, "sink", capacity=sink[node])
    for a, b, w in zip(first, second, weight, strict=True):
        graph.add_edge(a, b, capacity=w)
    moved = minimum_cut(source, sink, first, second, weight)
    cost = source[moved].sum() + sink[~moved].sum() + weight[~moved[first] & moved[second]].sum()
    assert cost == pytest.approx(networkx.minimum_cut_value(graph, "source", "sink"), rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_of_two_labels_is_the_best_of_all(seed):
    random = np.random.default_rng(seed)
    image = random.normal(size=(3, 4, 1))
    first, second, weight = neighbours(image, 1.0)
    pairs = first, second, 0.7 * weight
    costs = random.exponential(size=(12, 2))
    best = min(energy(np.array(a), costs, pairs) for a in itertools.product(range(2), repeat=12))
    assert energy(cut(costs, pairs), costs, pairs) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_of_three_labels_cannot_be_bettered_by_one_expansion(seed):
    random = np.random.default_rng(seed)
    first, second, weight = neighbours(random.normal(size=(3, 3, 1)), 0.5)
    pairs = first, second, 0.5 * weight
    costs = random.exponential(size=(9, 3))
    answer = cut(costs, pairs)
    value = energy(answer, costs, pairs)
    for label in range(3):
        for moved in itertools.product([False, True], repeat=9):
            assert energy(np.where(moved, label, answer), costs, pairs) >= value - 1e-9
    # Boykov et al. 2001: within twice the best
    best = min(energy(np.array(a), costs, pairs) for a in itertools.product(range(3), repeat=9))
    assert value <= 2 * best


def test_pairs_share_a_face_and_weigh_less_at_an_edge():
    image = np.zeros((2, 3, 1))
    image[1] = 1
    first, second, weight = neighbours(image, 0.5)
    found = dict(zip(zip(first.tolist(), second.tolist(), strict=True), weight, strict=True))
    assert found.keys() == {(0, 3), (1, 4), (2, 5), (0, 1), (1, 2), (3, 4), (4, 5)}
    # d^2 is 1 at the edge and 3 / 7 in the mean
    assert found[0, 3] / found[0, 1] == pytest.approx(np.exp(-0.5 * 7 / 3))
    assert weight.mean() == pytest.approx(1)
    assert set(neighbours(image, 0)[2]) == {1}


# ---------------------------------------------------------------- place, seeds, growing, flooding


def test_the_atlas_is_the_mean_of_the_labels_by_hand():
    """Three cases of 4 voxels: label 1 in the second half, in the last quarter, nowhere."""
    cases = [np.array(v)[:, None].repeat(4, 1) for v in ([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0])]
    place = Place.learn(cases, 2, 4, "image")
    np.testing.assert_allclose(place.grid[:, 0, 1], [0, 0, 1 / 3, 2 / 3], atol=1e-6)
    np.testing.assert_allclose(place.probabilities((4, 4)), place.grid, atol=1e-6)
    # twice as fine: linear between the middles of the voxels
    fine = place.probabilities((8, 4))[:, 0, 1]
    np.testing.assert_allclose(fine, [0, 0, 0, 1 / 12, 1 / 4, 5 / 12, 7 / 12, 2 / 3], atol=1e-6)


def test_aligned_by_their_middles_cases_keep_their_size():
    """A block of 2 voxels in the middle of images of 4 and of 6 stays one of 2."""
    small, large = np.zeros((4, 4), int), np.zeros((6, 6), int)
    small[1:3, 1:3] = large[2:4, 2:4] = 1
    centre = Place.learn([small, large], 2, 6, "centre")
    assert centre.size == (6, 6)
    np.testing.assert_array_equal(centre.probabilities((6, 6)).argmax(-1), large)
    np.testing.assert_array_equal(centre.probabilities((4, 4)).argmax(-1), small)
    stretched = Place.learn([small, large], 2, 12, "image").probabilities((12, 12))[..., 1]
    assert 0.4 < stretched[3, 5] < 0.6  # of 4 voxels the block is a half, of 6 a third


def test_seeds_are_certain_and_every_probable_label_has_one():
    p = np.array([[0.95, 0.05, 0.0], [0.3, 0.7, 0.0], [0.4, 0.6, 0.0], [0.5, 0.1, 0.4]])
    assert seeds(p, 0.9).tolist() == [1, 2, 0, 0]  # label 2 is nowhere more probable than not
    assert seeds(p, 0.55).tolist() == [1, 2, 2, 0]


def test_the_background_has_a_seed_too_so_that_no_flood_leaves_none_of_it():
    p = np.array([[[0.05, 0.95], [0.05, 0.95], [0.6, 0.4], [0.8, 0.2]]])
    found = seeds(p, 0.9)
    assert found.tolist() == [[2, 2, 0, 1]]
    assert flood(np.array([[0.0, 0.0, 9.0, 9.0]]), found, 0.5).tolist()[0] == [1, 1, 0, 0]
    # where it is nowhere more probable than not, it has none
    assert seeds(np.array([[0.05, 0.95], [0.4, 0.6]]), 0.9).tolist() == [2, 0]


def test_the_posterior_is_bayes_rule(tmp_path):
    with folds.opened(tmp_path, 4, 1, shape=SHAPES[2], channels=2) as fold:
        look = Appearance.learn(fold)
        (case,) = fold.validation.values()
        image = fold.image(case)
    np.testing.assert_allclose(look.histograms.sum(-1), 1, rtol=1e-5)
    posterior = look.posterior(image)
    bins = np.clip(((image[5, 6] + 4) * 8).astype(int), 0, 63)
    by_hand = look.place.probabilities(image.shape[:-1])[5, 6] * np.prod(
        [look.histograms[:, c, bins[c]] for c in range(2)], axis=0
    )
    np.testing.assert_allclose(posterior[5, 6], by_hand / by_hand.sum(), rtol=1e-6)


@pytest.mark.parametrize("mode", ["none", "minmax"])
@pytest.mark.parametrize("kind", ["region_growing", "watershed"])
def test_seeds_need_no_z_scores(kind, mode, tmp_path):
    """Intensities as a scanner gives them, or between 0 and 1, are as good as z-scores."""
    scale = {"none": (300.0, 40.0), "minmax": (0.5, 0.1)}[mode]
    with folds.opened(tmp_path, 6, 1, shape=SHAPES[2], channels=2) as fold:
        (case,) = fold.validation.values()
        model = create(kind)
        model.fit(fold)
        wanted = np.mean(label_dice(model.predict_proba(fold.image(case)).argmax(-1), case.label[...], 3))

        def scaled(stored):
            image = (stored.image[...] * scale[1] + scale[0]).astype(np.float32)
            return SimpleNamespace(image=image, label=stored.label[...])

        statistics = intensity.fit([], (mode,) * 2)
        training = {n: scaled(c) for n, c in fold.training.items()}
        other = dataclasses.replace(fold, training=training, statistics=statistics)
        model = create(kind)
        model.fit(other)
        model.save(tmp_path)
        again = create(kind)
        again.load(tmp_path, {})
        found = np.mean(label_dice(again.predict_proba(other.image(scaled(case))).argmax(-1), case.label[...], 3))
    assert found > wanted - 0.05


def test_a_region_grows_over_like_voxels_that_touch_it():
    channel = np.array([[5, 5, 5, 1, 5, 9, 9]], float)
    markers = np.array([[0, 2, 0, 0, 0, 3, 0]])  # of label 1 and label 2
    allowed = np.ones((1, 7, 3), bool)
    posterior = np.full((1, 7, 3), 1 / 3)
    # one seed has no spread: what differs by more than nothing is left
    assert grow(channel, markers, allowed, posterior, 2.0).tolist() == [[1, 1, 1, 0, 0, 2, 2]]
    allowed[0, 0, 1] = False
    assert grow(channel, markers, allowed, posterior, 2.0).tolist() == [[0, 1, 1, 0, 0, 2, 2]]


def test_tolerance_is_in_deviations_of_the_seeds_and_the_more_probable_label_wins():
    channel = np.array([[4, 6, 7.5, 7.5, 9, 11]])  # seeds 5 +- 1 and 10 +- 1
    markers = np.array([[2, 2, 0, 0, 3, 3]])
    posterior = np.tile([0.0, 0.5, 0.5], (1, 6, 1))
    posterior[0, 2], posterior[0, 3] = [0, 0.7, 0.3], [0, 0.3, 0.7]
    allowed = np.ones((1, 6, 3), bool)
    assert grow(channel, markers, allowed, posterior, 2.0).tolist() == [[1, 1, 0, 0, 2, 2]]
    assert grow(channel, markers, allowed, posterior, 3.0).tolist() == [[1, 1, 1, 2, 2, 2]]


def test_basins_meet_at_the_edge():
    channel = np.repeat([0.0, 10.0], 8)[:, None].repeat(5, 1)
    markers = np.zeros((16, 5), int)
    markers[0, 2], markers[15, 2] = 1, 2  # background and label 1
    for sigma in (0.5, 1.0):
        answer = flood(channel, markers, sigma)
        assert not answer[:7].any() and answer[9:].all()
    assert not flood(channel, np.zeros_like(markers), 1.0).any()


def test_a_decision_is_the_largest_whatever_the_posterior_says():
    p = mixed(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 1]))
    assert p.argmax(-1).tolist() == [1, 1] and p.dtype == np.float32
    np.testing.assert_allclose(p, [[0.45, 0.55], [0.1, 0.9]])
