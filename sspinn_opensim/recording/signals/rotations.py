"""Rotations: matrices of the angles that say how a sensor is turned, and signals turned by them."""

from __future__ import annotations

import math

import numpy as np


def rotation_from_angles(angles: tuple[float, float, float]) -> np.ndarray:
    """Return the matrix of body-fixed XYZ angles (rad), ``R = Rx(a) Ry(b) Rz(c)``, as in OpenSim."""
    from scipy.spatial.transform import Rotation  # takes long to import, and a study needs none of it

    return Rotation.from_euler("XYZ", angles).as_matrix()


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
