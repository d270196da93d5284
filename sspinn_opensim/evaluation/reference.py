"""Reference measurements: no other module reads them, and only evaluation calls this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from sspinn_opensim.evaluation.baseline import SagittalJoint
from sspinn_opensim.evaluation.curves import angles_of, ground_force_of, moments_of
from sspinn_opensim.opensim_io.tables.motion_units import warn_of_unit
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage
from sspinn_opensim.recording.formats.matlab_tables import read_rows
from sspinn_opensim.study import ReferenceChoice, Study


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


#: Times of the recording, s, to the reference at them.
ReferenceAt = Callable[[np.ndarray], Reference]
#: Times of a table, s, and its curves by name.
_Sampled = tuple[np.ndarray, Mapping[str, np.ndarray]]


def read_reference(
    study: Study, model: Model, *, joints: Mapping[str, SagittalJoint] | None = None
) -> ReferenceAt | None:
    """Read the reference that a study names.

    Parameters
    ----------
    study : Study
        ``study.reference.format`` is 'dorschky2019' (one mean gait cycle of 100 samples, right leg; it is
        repeated, and sample 1 is at time zero of the recording) or 'opensim' (motion, moment, ground force
        and muscle force tables, any of them).
    model : Model
        Says which coordinates rotate.
    joints : mapping of coordinate to SagittalJoint, optional
        For 'dorschky2019', whose signs are hip flexion +, knee flexion -, ankle dorsiflexion + (turns about
        +z): which coordinate of the model is the hip, knee and ankle of a side, how it counts and where its
        zero is. Without, or where none is found, coordinates are those of the same name.

    Returns
    -------
    callable or None
        Gives the reference at times of the recording, s, shape (n,), interpolated linearly between samples.
        None when the study names no reference.

    Raises
    ------
    InputError
        A file is missing or unreadable, or lacks what its format requires.
    """
    if study.reference is None:
        return None
    if study.reference.format == "dorschky2019" and study.reference.file:
        return _read_dorschky2019(study, study.reference.file, joints or {})
    return _read_opensim(study, study.reference, model)


def _read_dorschky2019(study: Study, path: Path, joints: Mapping[str, SagittalJoint]) -> ReferenceAt:
    read = read_rows(path, {"angle", "moment", "GRF", "dur"})
    # A row that holds something else than numbers is as good as none.
    rows = {(r.kind, r.name): r.mean for r in read if r.mean.size and np.all(np.isfinite(r.mean))}
    body_weight_n = study.person.body_weight_n

    def row(kind: str, name: str) -> np.ndarray:
        if (kind, name) not in rows:
            raise InputError(f"The reference has no row {kind} '{name}'.", where=str(path))
        return rows[kind, name]

    cycle_s = float(row("dur", "dur")[0])

    def reference_at(time_s: np.ndarray) -> Reference:
        def on_time(curve: np.ndarray) -> np.ndarray:
            samples = np.arange(len(curve)) * cycle_s / len(curve)
            return np.interp(time_s, samples, curve, period=cycle_s)

        def by_coordinate(kind: str) -> dict[str, np.ndarray]:
            """Curves by coordinate of the model; rows are called hip_flexion_r, knee_angle_r, ..."""
            curves = {}
            for name, curve in ((name, curve) for (of_kind, name), curve in rows.items() if of_kind == kind):
                place = f"{name.partition('_')[0]}_{name[-1]}"
                own = {coordinate: joint for coordinate, joint in joints.items() if joint.place == place}
                same = (name, joints.get(name, SagittalJoint("", "")))
                coordinate, joint = next(iter(own.items()), same)
                turn = on_time(curve)
                curves[coordinate] = joint.coordinate(turn) if kind == "angle" else joint.sign * turn
            return curves

        ground_force = {}
        for side in "rl":
            if ("GRF", f"GRF_y_{side}") in rows:
                forward, upward = (on_time(row("GRF", f"GRF_{axis}_{side}")) for axis in "xy")
                sideways = np.full_like(upward, np.nan)  # the set holds the sagittal plane only
                ground_force[side] = body_weight_n * np.column_stack([forward, upward, sideways])
        return Reference(
            name=study.recording.name,
            time_s=time_s,
            angles=by_coordinate("angle"),
            moments=by_coordinate("moment"),
            ground_force=ground_force,
            cycle_s=cycle_s,
            source=path.name,
        )

    return reference_at


def _read_opensim(study: Study, choice: ReferenceChoice, model: Model) -> ReferenceAt:
    tables = {
        key: (Path(path), read_storage(path))
        for key in ("kinematics", "moments", "grf", "muscle_forces")
        if (path := getattr(choice, key))
    }
    if not tables:
        raise InputError(
            "The reference names no file.",
            where=str(study.path),
            expected="kinematics, moments, grf or muscle_forces in [reference]",
        )

    def curves(key: str, extract: Callable[[Table, Path], Mapping[str, np.ndarray]]) -> _Sampled:
        """Return the curves of a table that belong to the model, with their times."""
        if key not in tables:
            return np.zeros(0), {}
        path, table = tables[key]
        own = extract(table, path)
        if not own:
            raise InputError(
                "No column of the reference belongs to the model.",
                where=str(path),
                expected=", ".join(model.coordinate_names),
                found=", ".join(table.names),
            )
        return table.time_s, own

    angles = curves("kinematics", lambda table, path: angles_of(_with_stated_unit(table, path, model), model))
    moments = curves("moments", lambda table, _: moments_of(table, model))
    ground_force = curves("grf", lambda table, path: ground_force_of(table, where=str(path)))
    muscle_forces = curves(
        "muscle_forces", lambda table, _: dict(zip(table.names, table.values.T, strict=True))
    )

    def reference_at(time_s: np.ndarray) -> Reference:
        def on_time(sampled: _Sampled) -> dict[str, np.ndarray]:
            table_time_s, by_name = sampled
            return {name: _interpolated(time_s, table_time_s, curve) for name, curve in by_name.items()}

        return Reference(
            name=study.recording.name,
            time_s=time_s,
            angles=on_time(angles),
            moments=on_time(moments),
            ground_force=on_time(ground_force),
            muscle_forces=on_time(muscle_forces) or None,
            source=", ".join(path.name for path, _ in tables.values()),
        )

    return reference_at


def _with_stated_unit(table: Table, path: Path, model: Model) -> Table:
    if table.in_degrees is None:
        raise InputError(
            "The reference motion does not say whether it is in degrees.",
            where=str(path),
            expected="inDegrees=yes or inDegrees=no in the header",
            fix="add the line that is true of this file",
        )
    warn_of_unit(table, model, str(path))
    return table


def _interpolated(time_s: np.ndarray, table_time_s: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Interpolate along the first axis; NaN outside the table, with half a microsecond of tolerance."""
    inside = (time_s > table_time_s[0] - 5e-7) & (time_s < table_time_s[-1] + 5e-7)
    columns = curve.reshape(len(curve), -1).T
    values = np.column_stack([np.interp(time_s, table_time_s, column) for column in columns])
    values[~inside] = np.nan
    return values.reshape(len(time_s), *curve.shape[1:])
