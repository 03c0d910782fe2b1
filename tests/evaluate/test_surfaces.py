import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from refold.evaluate.surfaces import codes, distances, element_sizes


def test_codes_of_one_voxel_hold_each_bit_once():
    assert codes(np.ones((1, 1), bool)).tolist() == [[1, 2], [4, 8]]
    assert codes(np.ones((1, 1, 1), bool)).ravel().tolist() == [1, 2, 4, 8, 16, 32, 64, 128]


def test_sizes_by_hand():
    # one corner inside: the triangle through three edge middles, 1/8 of the product of two edges along each axis
    assert element_sizes((1.0, 2.0, 3.0))[1] == pytest.approx(math.hypot(6, 3, 2) / 8)
    # the lower half inside along x: a whole face of y by z
    assert element_sizes((1.0, 2.0, 3.0))[0b11110000] == pytest.approx(6)
    assert element_sizes((1.0, 2.0, 3.0))[[0, 255]].tolist() == [0, 0]
    assert element_sizes((3.0, 4.0)).tolist()[:4] == [0, 2.5, 2.5, 4]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.3, 2.9)])
def test_areas_are_those_of_marching_cubes(spacing):
    from skimage.measure import marching_cubes, mesh_surface_area

    sizes = element_sizes(spacing)
    for code in range(1, 255):
        # scikit-image cuts the complement of some codes otherwise, the fuller half is made from the emptier
        fewer = code if code.bit_count() <= 4 else 255 - code
        corners = np.array([bool(fewer & 1 << 7 - i) for i in range(8)], float).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(corners, 0.5, spacing=spacing, method="lorensen")
        assert sizes[code] == pytest.approx(mesh_surface_area(vertices, faces), abs=1e-5), code


def test_sizes_are_those_of_surface_distance():
    tables = pytest.importorskip("surface_distance.lookup_tables")
    for spacing in ((1.0, 1.0, 1.0), (0.7, 1.3, 2.9)):
        expected = tables.create_table_neighbour_code_to_surface_area(spacing)
        np.testing.assert_allclose(element_sizes(spacing), expected, atol=1e-12)
        expected = tables.create_table_neighbour_code_to_contour_length(spacing[:2])
        np.testing.assert_allclose(element_sizes(spacing[:2]), expected, atol=1e-12)


spacings = st.lists(st.sampled_from([0.1, 0.7, 1.0, 1.3, 5.0]), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    dimension=st.integers(2, 3),
    spacing=spacings,
    apart=st.integers(0, 12),
)
def test_distances_are_those_between_all_points(seed, dimension, spacing, apart):
    """Near pairs go by the shortest steps, pairs apart by the tree: both must equal brute force."""
    random = np.random.default_rng(seed)
    spacing = spacing[:dimension]
    blobs = [random.random((4, 5, 3)[:dimension]) < 0.5 for _ in range(2)]
    masks = [np.zeros((20, 8, 6)[:dimension], bool) for _ in range(2)]
    for mask, blob, start in zip(masks, blobs, (0, apart), strict=True):
        blob.flat[0] = True
        mask[(slice(start, start + 4), *(slice(0, n) for n in blob.shape[1:]))] = blob
    full = 2 ** (2**dimension) - 1
    points = [np.argwhere((codes(m) != 0) & (codes(m) != full)) * np.array(spacing) for m in masks]
    table = cdist(*points)
    there, back = distances(*masks, spacing)
    np.testing.assert_allclose(there.distance, np.sort(table.min(axis=1)), atol=1e-12)
    np.testing.assert_allclose(back.distance, np.sort(table.min(axis=0)), atol=1e-12)
