"""Reference measurements: the one module that reads them, and only evaluation calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from sspinn_opensim.evaluation.baseline import SagittalJoint
from sspinn_opensim.evaluation.curves import angles_of, ground_force_of, moments_of
from sspinn_opensim.evaluation.metrics import STANDARD_GRAVITY
from sspinn_opensim.opensim_io.tables.motion_units import warn_of_unit
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.recording.matlab_tables import read_rows


@dataclass(frozen=True)
class Reference:
    """What a laboratory (or a simulation) says of the recorded movement; NaN where it says nothing.

    Attributes
    ----------
    name : str
        Of the recording it belongs to.
    time_s : ndarray, shape (n,)
        Times of the recording.
    angles, moments : mapping of coordinate to ndarray, shape (n,)
        rad and N m, with the signs of the model's coordinates.
    ground_force : mapping of 'r' or 'l' to ndarray, shape (n, 3)
        N, in ground (x forward, y up, z right).
    muscle_forces : mapping of muscle to ndarray, shape (n,), or None
        N.
    cycle_s : float or None
        Period of a reference that is one gait cycle, s.
    source : str
        File or files it was read from.
    """

    name: str
    time_s: np.ndarray
    angles: Mapping[str, np.ndarray] = field(default_factory=dict)
    moments: Mapping[str, np.ndarray] = field(default_factory=dict)
    ground_force: Mapping[str, np.ndarray] = field(default_factory=dict)
    muscle_forces: Mapping[str, np.ndarray] | None = None
    cycle_s: float | None = None
    source: str = ""


def read_reference(
    study, time_s: np.ndarray, model: Model, *, joints: Mapping[str, SagittalJoint] | None = None
) -> Reference | None:
    """Read the reference that a study names, on the given times of its recording.

    Parameters
    ----------
    study : Study
        ``study.reference.format`` is 'dorschky2019' (one mean gait cycle of 100 samples, right leg; it is
        repeated, and sample 1 is at time zero of the recording) or 'opensim' (motion, moment, ground force
        and muscle force tables, any of them).
    time_s : ndarray, shape (n,)
    model : Model
        Says which coordinates rotate.
    joints : mapping of coordinate to SagittalJoint, optional
        For 'dorschky2019', whose signs are hip flexion +, knee flexion -, ankle dorsiflexion + (turns about
        +z): which coordinate of the model is the hip, knee and ankle of a side, how it counts and where its
        zero is. Without, or where none is found, coordinates are those of the same name.

    Returns
    -------
    Reference or None
        None when the study names no reference. Between samples it is interpolated linearly.

    Raises
    ------
    InputError
        A file is missing or unreadable, or lacks what its format requires.
    """
    if study.reference is None:
        return None
    time_s = np.asarray(time_s, float)
    if study.reference.format == "dorschky2019":
        return _read_dorschky2019(study, time_s, joints or {})
    if study.reference.format == "opensim":
        return _read_opensim(study, time_s, model)
    known = ("dorschky2019", "opensim")
    raise InputError(
        "unknown format of a reference",
        where=str(study.path),
        expected=" or ".join(known),
        found=study.reference.format,
        fix=nearest(study.reference.format, known),
    )


def _read_dorschky2019(study, time_s: np.ndarray, joints: Mapping[str, SagittalJoint]) -> Reference:
    path = Path(study.reference.file)
    kinds = {"angle", "moment", "GRF", "dur"}
    rows = {(row.kind, row.name): row.mean for row in read_rows(path, kinds)}
    cycle_s = float(_row(rows, "dur", "dur", path)[0])

    def on_time(curve: np.ndarray) -> np.ndarray:
        samples = np.arange(len(curve)) * cycle_s / len(curve)
        return np.interp(time_s, samples, curve, period=cycle_s)

    def turned(kind: str) -> dict[str, np.ndarray]:
        """Curves by coordinate of the model; rows are called hip_flexion_r, knee_angle_r, ankle_angle_r."""
        found = {}
        for (_, row), curve in ((key, curve) for key, curve in rows.items() if key[0] == kind):
            place = f"{row.partition('_')[0]}_{row[-1]}"
            own = {name: joint for name, joint in joints.items() if joint.place == place}
            name, joint = next(iter(own.items()), (row, joints.get(row, SagittalJoint("", ""))))
            turn = on_time(curve)
            found[name] = joint.coordinate(turn) if kind == "angle" else joint.sign * turn
        return found

    body_weight_n = study.person.mass_kg * STANDARD_GRAVITY
    ground_force = {}
    for side in "rl":
        if ("GRF", f"GRF_y_{side}") in rows:
            forward = on_time(_row(rows, "GRF", f"GRF_x_{side}", path))
            upward = on_time(_row(rows, "GRF", f"GRF_y_{side}", path))
            sideways = np.full_like(upward, np.nan)  # the set holds the sagittal plane only
            ground_force[side] = body_weight_n * np.column_stack([forward, upward, sideways])
    return Reference(
        name=study.recording.name,
        time_s=time_s,
        angles=turned("angle"),
        moments=turned("moment"),
        ground_force=ground_force,
        cycle_s=cycle_s,
        source=path.name,
    )


def _row(rows, kind: str, name: str, path: Path) -> np.ndarray:
    if (kind, name) not in rows:
        raise InputError(f"the reference has no row {kind} '{name}'", where=str(path))
    return rows[kind, name]


def _read_opensim(study, time_s: np.ndarray, model: Model) -> Reference:
    choice = study.reference
    read = {
        key: (Path(path), read_storage(path))
        for key in ("kinematics", "moments", "grf", "muscle_forces")
        if (path := getattr(choice, key, None))
    }
    if not read:
        raise InputError(
            "the reference names no file",
            where=str(study.path),
            expected="kinematics, moments, grf or muscle_forces in [reference]",
        )

    def curves(key: str, extract) -> dict[str, np.ndarray]:
        if key not in read:
            return {}
        path, table = read[key]
        found = extract(table, path)
        if not found:
            raise InputError(
                "no column of the reference belongs to the model",
                where=str(path),
                expected=", ".join(model.coordinate_names),
                found=", ".join(table.names),
            )
        return {name: _on_time(time_s, table.time_s, curve) for name, curve in found.items()}

    muscle_forces = curves(
        "muscle_forces", lambda table, path: dict(zip(table.names, table.values.T, strict=True))
    )
    return Reference(
        name=study.recording.name,
        time_s=time_s,
        angles=curves(
            "kinematics", lambda table, path: angles_of(_with_stated_unit(table, path, model), model)
        ),
        moments=curves("moments", lambda table, path: moments_of(table, model)),
        ground_force=curves("grf", lambda table, path: ground_force_of(table, where=str(path))),
        muscle_forces=muscle_forces or None,
        source=", ".join(path.name for path, _ in read.values()),
    )


def _with_stated_unit(table: Table, path: Path, model: Model) -> Table:
    if table.in_degrees is None:
        raise InputError(
            "the reference motion does not say whether it is in degrees",
            where=str(path),
            expected="inDegrees=yes or inDegrees=no in the header",
            fix="add the line that is true of this file",
        )
    warn_of_unit(table, model, str(path))
    return table


def _on_time(time_s: np.ndarray, table_time_s: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Interpolate along the first axis; NaN outside the table, with half a microsecond of tolerance."""
    inside = (time_s > table_time_s[0] - 5e-7) & (time_s < table_time_s[-1] + 5e-7)
    columns = curve.reshape(len(curve), -1).T
    values = np.column_stack([np.interp(time_s, table_time_s, column) for column in columns])
    values[~inside] = np.nan
    return values.reshape(len(time_s), *curve.shape[1:])
