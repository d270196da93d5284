"""Geometry of the muscle paths: from the frames of source models to ours, moment arms, fitted points.

All joints between our bodies are pins about z, so a leg is a chain in the plane; z only lengthens paths.
A point of the plane is a complex number x + iy, a rotation a factor exp(i angle).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from osim_models import tables

#: Bodies of a leg from the trunk outwards, and the coordinate that turns each against the one before it.
CHAIN = ("pelvis", "femur", "tibia", "foot")
COORDINATES = ("hip_flexion", "knee_angle", "ankle_angle")

#: Path points are rounded to 0.1 mm, far below what the sources know.
_DECIMALS = 4

#: Where the search for each fitted point starts: on the side of the joint that gives its arm the right sign.
_START = {
    "patella": (0.04, -0.44),
    "femoral_condyle": (-0.02, -0.42),
    "hamstring_insertion": (-0.03, -0.03),
    "pelvic_brim": (0.04, 0.0),
}

Point = tuple[str, tuple[float, float, float]]


def thigh_length() -> float:
    """Distance from hip to knee, m."""
    return tables.SEGMENTS["thigh"].length * tables.GENERIC_HEIGHT_M


def shank_length() -> float:
    """Distance from knee to ankle, m."""
    return tables.SEGMENTS["shank"].length * tables.GENERIC_HEIGHT_M


def pin_knee() -> tuple[complex, complex]:
    """Axis that best replaces the moving knee axis of the Delp model by a pin.

    The tibia's origin p(q) moves in the femur. A pin at c in the femur and d in the tibia would hold
    p(q) + exp(iq) d = c at every angle; least squares over the tabulated angles gives c and d.

    Returns
    -------
    c, d : complex
        The axis in the Delp model's femur frame and tibia frame, m.
    """
    angle, x, y = np.array(tables.DELP_KNEE).T
    turn = np.exp(1j * angle)
    unknowns = np.column_stack([np.ones_like(turn), -turn])
    (c, d), *_ = np.linalg.lstsq(unknowns, x + 1j * y, rcond=None)
    return complex(c), complex(d)


def rebase(body: str, position: tuple[float, float, float], source: str) -> Point:
    """Map a point of a source model's body to our body.

    In the sagittal plane the similarity (turn, uniform scale, shift) that puts the segment's two joints on
    ours; sideways the same scale. The pelvis has one such joint, the hip, and is scaled by the height of the
    person; so is the foot, whose source frame, the heel bone's, is first moved to the ankle.

    Parameters
    ----------
    body : str
        Body of the source model: pelvis, femur, tibia or calcn.
    position : tuple of float
        Right-side point in that body's frame, m.
    source : str
        Key of `tables.SOURCES`: ``delp1990`` (all bodies) or ``rajagopal2016`` (tibia).

    Returns
    -------
    body : str
        Our body.
    position : tuple of float
        The point in its frame for the right leg, rounded to 0.1 mm.
    """
    x, y, z = position
    place = x + 1j * y
    by_height = tables.GENERIC_HEIGHT_M / tables.DELP_HEIGHT_M
    if body == "pelvis":
        hip = tables.DELP_PLACES["hip"].position
        moved = (place - _plane(hip)) * by_height
        return "pelvis", _rounded(moved, (z - hip[2]) * by_height + tables.HIP_HALF_DISTANCE.value)
    if body == "calcn":
        heel_bone = tables.DELP_PLACES["calcn"].position
        return "foot", _rounded((place + _plane(heel_bone)) * by_height, (z + heel_bone[2]) * by_height)
    knee_in_femur, knee_in_tibia = pin_knee()
    if body == "femur":
        factor = -1j * thigh_length() / knee_in_femur
        return "femur", _rounded(place * factor, z * abs(factor))
    knee, ankle = knee_in_tibia, _plane(tables.DELP_PLACES["ankle"].position)
    if source == "rajagopal2016":
        knee, ankle = (_plane(tables.RAJAGOPAL_PLACES[name].position) for name in ("knee", "ankle"))
    factor = -1j * shank_length() / (ankle - knee)
    return "tibia", _rounded((place - knee) * factor, z * abs(factor))


def length(path: tuple[Point, ...], angles: dict[str, complex]) -> complex:
    """Length of a path (m) at joint angles (rad, missing ones zero); analytic, so angles may be complex."""
    # complex angles carry derivatives, hence x and y apart instead of one complex number
    origin_x, origin_y, total = 0.0, 0.0, 0.0
    frames: dict[str, tuple] = {"pelvis": (0.0, 0.0, 0.0)}
    offset = {"femur": 0.0, "tibia": -thigh_length(), "foot": -shank_length()}
    angle = 0.0
    for body, coordinate in zip(CHAIN[1:], COORDINATES, strict=True):
        origin_x, origin_y = (
            origin_x - np.sin(angle) * offset[body],
            origin_y + np.cos(angle) * offset[body],
        )
        angle = angle + angles.get(coordinate, 0.0)
        frames[body] = (origin_x, origin_y, angle)
    points = []
    for body, (x, y, z) in path:
        shift_x, shift_y, turn = frames[body]
        lateral = z if body == "pelvis" else z + tables.HIP_HALF_DISTANCE.value
        points.append(
            (
                shift_x + np.cos(turn) * x - np.sin(turn) * y,
                shift_y + np.sin(turn) * x + np.cos(turn) * y,
                lateral,
            )
        )
    for (x0, y0, z0), (x1, y1, z1) in pairwise(points):
        total = total + np.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2 + (z1 - z0) ** 2)
    return total


def moment_arm(path: tuple[Point, ...], coordinate: str, angles: dict[str, complex]) -> float:
    """Moment arm -dL/dq of a path about a coordinate, m (complex-step derivative, exact to rounding)."""
    step = 1e-20
    moved = dict(angles)
    moved[coordinate] = moved.get(coordinate, 0.0) + 1j * step
    return float(-np.imag(length(path, moved)) / step)


def paths() -> dict[str, tuple[Point, ...]]:
    """Paths of all muscles of the right leg in our body frames, with the fitted points placed."""
    fitted = _fitted_points()
    return {muscle: _resolve(muscle, fitted) for muscle in tables.PATHS}


def _fitted_points() -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[float, float]] = {}
    for arms in tables.ARMS:
        place = np.array(_START[arms.point])
        scale = tables.GENERIC_HEIGHT_M / arms.height_m
        target = scale * np.array(arms.arms)

        def misfit(place, arms=arms, target=target):
            path = _resolve(arms.muscle, {arms.point: tuple(place)})
            ours = [moment_arm(path, arms.coordinate, {arms.coordinate: q}) for q in arms.angles]
            return np.array(ours) - target

        places[arms.point] = tuple(np.round(_least_squares(misfit, place), _DECIMALS).tolist())
    return places


def _least_squares(misfit, place: np.ndarray) -> np.ndarray:
    """Minimise the sum of squares of `misfit` over two unknowns (Levenberg-Marquardt)."""
    damping, error = 1e-3, misfit(place)
    for _ in range(200):
        jacobian = np.column_stack([(misfit(place + 1e-7 * unit) - error) / 1e-7 for unit in np.eye(2)])
        normal = jacobian.T @ jacobian
        change = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -jacobian.T @ error)
        moved = misfit(place + change)
        if moved @ moved < error @ error:
            place, error, damping = place + change, moved, damping / 3.0
            if np.abs(change).max() < 1e-9:
                break
        else:
            damping *= 5.0
    return place


def _resolve(muscle: str, fitted: dict[str, tuple[float, float]]) -> tuple[Point, ...]:
    points = []
    for point in tables.PATHS[muscle]:
        body, (x, y, z) = rebase(point.body, point.position, point.source)
        if point.fitted:
            x, y = fitted[point.fitted]
        points.append((body, (x, y, z)))
    return tuple(points)


def _plane(position: tuple[float, float, float]) -> complex:
    return position[0] + 1j * position[1]


def _rounded(place: complex, z: float) -> tuple[float, float, float]:
    x, y, z = (round(float(value), _DECIMALS) + 0.0 for value in (place.real, place.imag, z))
    return x, y, z
