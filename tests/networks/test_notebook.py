"""As in a notebook: networks and classical methods by plain arguments, without params.yaml or its model."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import folds

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def test_a_classical_method_is_made_fitted_and_asked(tmp_path):
    from refold.classical.features import Look
    from refold.classical.random_forest import RandomForestSegmenter

    with folds.opened(tmp_path / "data", 4, 1, shape=(14, 16)) as fold:
        forest = RandomForestSegmenter(Look(samples=300, sigmas=[1.0, 2.0], seed=3), trees=8, depth=6)
        facts = forest.fit(fold)
        (case,) = fold.validation.values()
        p = forest.predict_proba(fold.image(case))
        truth = case.label[...]
    assert 300 < facts["voxels"] <= 4 * 300 and p.shape == (14, 16, 3)
    assert (p.argmax(-1) == truth).mean() > 0.9
    forest.save(tmp_path)
    again = RandomForestSegmenter(Look(sigmas=[1.0, 2.0]))  # features are the caller's to repeat
    again.load(tmp_path, {})
    assert again.forest.arrays().keys() == forest.forest.arrays().keys()


@pytest.mark.slow
def test_a_network_is_built_by_plain_arguments_and_trained(tmp_path):
    pytest.importorskip("tensorflow")
    import numpy as np

    from refold.networks.problem import Problem
    from refold.networks.segmenter import NetworkSegmenter
    from refold.networks.unet import unet
    from refold.settings.train import Train

    model = unet(Problem(((1, 1), (2, 2), (2, 2)), (16, 16), channels=1, labels=3), widths=[4, 6, 8], convolutions=1)
    assert model(np.zeros((1, 24, 8, 1), "float32")).shape == (1, 24, 8, 3)
    assert [model.get_layer(f"down{i}_conv1").kernel.shape[-1] for i in range(3)] == [4, 6, 8]
    train = Train(epochs=2, samples_per_epoch=8, patch=[16, 16], warmup_epochs=0)
    with folds.opened(tmp_path / "data", 3, 1, shape=(14, 16)) as fold:
        network = NetworkSegmenter(lambda problem: unet(problem, widths=[4, 6, 8, 8, 8]), train)
        facts = network.fit(fold)
        p = network.predict_proba(fold.image(fold.validation["case3"]))
    assert facts["epochs"] == 2 and network.history[1]["loss"] < network.history[0]["loss"]
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)


def test_neither_asks_for_the_model_of_params_yaml():
    program = (
        "import sys\nimport refold.classical.svm, refold.classical.graph_cut, refold.networks.problem\n"
        "print([m for m in sys.modules if m.startswith(('refold.methods', 'refold.experiment'))])"
    )
    environment = {"PYTHONPATH": str(WORKFLOW), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
