"""The tiny fold of the training's tests."""

from tests.train.conftest import fold, settings  # noqa: F401
