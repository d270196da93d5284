"""Rotations: matrices of angles and of vectors, and signals turned by them.

Written out where SciPy would do: loading it takes longer than to refuse a study.
"""

from __future__ import annotations

import math

import numpy as np

from sspinn_opensim.recording.signals.magnitude import magnitudes

_CYCLES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def rotation_from_angles(angles: tuple[float, float, float]) -> np.ndarray:
    """Return the matrix of body-fixed XYZ angles (rad), ``R = Rx(a) Ry(b) Rz(c)``, as in OpenSim."""
    (ca, sa), (cb, sb), (cc, sc) = ((math.cos(angle), math.sin(angle)) for angle in angles)
    return np.array(
        [
            [cb * cc, -cb * sc, sb],
            [ca * sc + sa * sb * cc, ca * cc - sa * sb * sc, -sa * cb],
            [sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb],
        ]
    )


def angles_from_rotation(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return the body-fixed XYZ angles in rad of a rotation matrix; the third is zero at gimbal lock."""
    # Written out: sensors do sit at gimbal lock (axes -z, y, x), where SciPy warns the user.
    middle = math.asin(float(np.clip(rotation[0, 2], -1.0, 1.0)))
    if abs(rotation[0, 2]) > 1 - 1e-12:
        first, last = math.atan2(rotation[2, 1], rotation[1, 1]), 0.0
    else:
        first = math.atan2(-rotation[1, 2], rotation[2, 2])
        last = math.atan2(-rotation[0, 1], rotation[0, 0])
    # Adding zero turns -0.0 into 0.0.
    return first + 0.0, middle + 0.0, last + 0.0


def rotations_from_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return the matrices (..., 3, 3) of rotation vectors (..., 3), as long as their angles, rad."""
    half = 0.5 * magnitudes(vectors)
    w, v = np.cos(half), 0.5 * np.sinc(half / np.pi)[..., None] * vectors  # of the quaternion
    matrices = 2 * v[..., :, None] * v[..., None, :]
    matrices[..., range(3), range(3)] += 1 - 2 * np.sin(half)[..., None] ** 2
    for i, j, k in _CYCLES:
        across = 2 * w * v[..., k]
        matrices[..., j, i] += across
        matrices[..., i, j] -= across
    return matrices


def vectors_from_rotations(matrices: np.ndarray) -> np.ndarray:
    """Return the rotation vectors (..., 3) of matrices (..., 3, 3), as long as their angles, up to pi."""
    trace = np.trace(matrices, axis1=-2, axis2=-1)[..., None, None]
    products = np.empty((*matrices.shape[:-2], 4, 4))  # of the quaternion's parts, times four
    products[..., :1, :1] = 1 + trace
    products[..., 1:, 1:] = matrices + matrices.swapaxes(-1, -2) + (1 - trace) * np.eye(3)
    for i, j, k in _CYCLES:
        across = matrices[..., k, j] - matrices[..., j, k]
        products[..., 0, 1 + i] = products[..., 1 + i, 0] = across
    # Those of the largest part lose no digits.
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(axis=-1)
    parts = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    parts *= np.copysign(1, parts[..., :1]) / np.linalg.norm(parts, axis=-1, keepdims=True)
    sine = magnitudes(parts[..., 1:])
    return parts[..., 1:] * (2 * np.arctan2(sine, parts[..., 0]) / np.maximum(sine, 1e-300))[..., None]


def rotate(signal: np.ndarray, available: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate a signal into body axes; a body axis is available if all sensor axes it is made of are.

    Parameters
    ----------
    signal : (n, 3) array
        Signal along the sensor's axes; zero where not available.
    available : (3,) array of bool
        Which of them were measured.
    rotation : (3, 3) array
        Columns are the axes of the sensor in the body.

    Returns
    -------
    (n, 3) array, (3,) array of bool
        Signal in body axes, zero where not available, and the flags.
    """
    # Below a millionth of a radian a mounting angle is rounding, not a mixture of axes.
    needed = np.abs(rotation) > 1e-6
    rotated_available = ~np.any(needed & ~available, axis=1)
    rotated = np.zeros(signal.shape)
    # Products of matrices are slow on three columns.
    for row, column in np.argwhere((rotation != 0) & rotated_available[:, None]):
        rotated[:, row] += rotation[row, column] * signal[:, column]
    return rotated, rotated_available
