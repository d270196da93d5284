"""Factors of banded matrices against LAPACK's."""

import numpy as np
import pytest
from scipy.linalg import cholesky_banded

from sspinn_opensim.estimation.consistency.banded import factor

#: Of the largest entry: both sum as many products as the band has rows, in different orders.
TOLERANCE = 1e-14


@pytest.fixture
def matrix(request):
    """Columns of a positive definite matrix of as many rows; what lies beyond the band is anything."""
    rows, count = request.param
    columns = np.random.default_rng(rows).normal(size=(count, rows + 3))
    columns[:, 0] = 2.0 * rows + 1.0
    return columns, rows


@pytest.mark.parametrize("matrix", [(1, 3), (5, 4), (8, 30), (15, 100), (50, 120), (55, 60)], indirect=True)
def test_the_factor_is_that_of_lapack(matrix):
    columns, rows = matrix
    inside = np.arange(rows) < np.arange(len(columns), 0, -1)[:, None]
    columns[:, :rows][~inside] = 0.0
    expected = cholesky_banded(columns[:, :rows].T, lower=True)
    found = factor(columns, rows)
    assert np.abs((found[:rows] - expected).T[inside]).max() < TOLERANCE * expected.max()
    assert not found[rows:].any() and found.flags.f_contiguous  # else LAPACK is handed a copy


@pytest.mark.parametrize("matrix", [(15, 100)], indirect=True)
@pytest.mark.parametrize("wrong", [-1.0, 0.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_is_refused(matrix, wrong):
    columns, rows = matrix
    columns[41, 0] = wrong
    with pytest.raises(np.linalg.LinAlgError, match="first 42 columns"):
        factor(columns, rows)
