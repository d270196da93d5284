"""Survey of a motion with its external forces and its model, before static optimization runs.

One OpenSim process evaluates the motion frame by frame: where the loaded bodies are, what the couplers
ask for, and which generalized forces drive the motion with and without the external forces. What disagrees
shows here, while the optimizer would only pay for it with reserves and residuals.
"""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np

from casadi_dynamics.disk_cache import load_or_make
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.remembered import answer_key
from casadi_dynamics.opensim_process.temporary import temporary_folder
from sspinn_opensim.dynamics.trial import differentiated, inside, loads_at
from sspinn_opensim.opensim_io.tables.external_loads import ExternalLoads
from sspinn_opensim.opensim_io.tables.storage import Table
from sspinn_opensim.opensim_io.worker.survey import muscle_survey

_TIMEOUT_S = 300.0
#: More frames than this make no check sharper; longer trials are looked at in every second, third, ... frame.
_MOST_FRAMES = 600


@dataclasses.dataclass(frozen=True)
class Survey:
    """A motion as the model sees it, SI units and radians, in ground.

    Parameters
    ----------
    names : tuple of str
        Coordinates of the model, ``n`` of them.
    motions : dict
        ``rotational``, ``translational`` or ``coupled`` by coordinate.
    ranges : dict
        Lowest and highest value by coordinate.
    locked, prescribed, dependent : tuple of str
        Coordinates whose motion the model determines.
    bodies : tuple of str
        Of the model.
    gravity : ndarray, shape (3,)
    time_s : ndarray, shape (N,)
        Frames that were looked at.
    q : ndarray, shape (N, n)
        The motion as given, not filtered; defaults where the file has no column.
    held : ndarray, shape (N, n)
        The same with locked, prescribed and dependent coordinates where the model holds them.
    force, point, torque : ndarray, shape (N, f, 3)
        External forces.
    body_position : ndarray, shape (N, f, 3)
        Origins of the bodies they act on.
    tau_free, tau : ndarray, shape (N, n)
        Generalized forces of the filtered motion without and with the external forces, N m or N; with the
        accelerations of the AnalyzeTool, so that they are what static optimization is asked for.
    root_directions : dict
        By translational coordinate that carries the whole body, its direction, shape (3,).
    """

    names: tuple[str, ...]
    motions: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    locked: tuple[str, ...]
    prescribed: tuple[str, ...]
    dependent: tuple[str, ...]
    bodies: tuple[str, ...]
    gravity: np.ndarray
    body_weight_n: float
    time_s: np.ndarray
    q: np.ndarray
    held: np.ndarray
    force: np.ndarray
    point: np.ndarray
    torque: np.ndarray
    body_position: np.ndarray
    tau_free: np.ndarray
    tau: np.ndarray
    root_directions: dict[str, np.ndarray]

    @property
    def up(self) -> np.ndarray:
        """Unit vector against gravity, shape (3,); y in a model without gravity."""
        strength = np.linalg.norm(self.gravity)
        return -self.gravity / strength if strength else np.array([0.0, 1.0, 0.0])

    def column(self, name: str) -> int:
        """Return the place of a coordinate."""
        return self.names.index(name)

    def needed_along(self, direction: np.ndarray) -> np.ndarray | None:
        """Return the external force along a direction that the motion needs, shape (N,), N.

        None where no coordinate carries the whole body that way (a fixed base, a plane).
        """
        for name, own in self.root_directions.items():
            if abs(own @ direction) > 0.99:
                return np.sign(own @ direction) * self.tau_free[:, self.column(name)]
        return None


def survey(
    model: Path,
    kinematics: Table,
    loads: ExternalLoads | None,
    *,
    lowpass_hz: float,
    window: tuple[float, float] | None = None,
    every_frame: bool = False,
) -> Survey:
    """Let OpenSim evaluate a motion.

    Parameters
    ----------
    kinematics : Table
        Columns that are no coordinates are left out.
    loads : ExternalLoads or None
        External forces.
    lowpass_hz : float
        Cut-off for the coordinates, Hz; 0 or less filters nothing.
    window : (float, float), optional
        From and to, s; by default everything.
    every_frame : bool
        Leave out no frame of a long trial.

    Raises
    ------
    InputError
        OpenSim cannot load the model, or a column of the external forces is missing.
    """
    time_s = kinematics.time_s
    frames = np.flatnonzero(inside(time_s, *(window or (time_s[0], time_s[-1]))))
    if not every_frame:
        frames = frames[:: max(-(-len(frames) // _MOST_FRAMES), 1)]
    moving = differentiated(time_s, kinematics.values, lowpass_hz, by_speeds=True).rows(frames)
    forces = loads.forces if loads else ()
    wrenches = np.zeros((3, len(frames), len(forces), 3))
    if loads:
        at_frames = loads_at(moving.time_s, loads.time_s, loads.vectors.reshape(len(loads.time_s), -1))
        wrenches = np.moveaxis(at_frames.reshape(len(frames), *loads.vectors.shape[1:]), 2, 0)
    question = io.BytesIO()
    np.savez(
        question,
        names=np.array(kinematics.names, str),
        in_degrees=bool(kinematics.in_degrees),
        time_s=moving.time_s,
        as_given=kinematics.values[frames],
        q=moving.q,
        u=moving.qdot,
        udot=moving.qddot,
        bodies=np.array([force.body for force in forces], str),
        force_frames=np.array([force.force_frame for force in forces], str),
        point_frames=np.array([force.point_frame for force in forces], str),
        **dict(zip(("force", "point", "torque"), wrenches, strict=True)),
    )
    facts, arrays = _answer(model, question.getvalue())
    gravity = np.array(facts["gravity"])
    return Survey(
        names=tuple(facts["motions"]),
        motions=facts["motions"],
        ranges={name: (low, high) for name, (low, high) in facts["ranges"].items()},
        locked=tuple(facts["locked"]),
        prescribed=tuple(facts["prescribed"]),
        dependent=tuple(facts["dependent"]),
        bodies=tuple(facts["bodies"]),
        gravity=gravity,
        body_weight_n=facts["total_mass_kg"] * float(np.linalg.norm(gravity)),
        time_s=moving.time_s,
        **arrays,
        root_directions={name: np.array(way) for name, way in facts["root_directions"].items()},
    )


def _answer(model: Path, question: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Return OpenSim's facts and arrays, from the cache on disk if it gave them before."""
    with temporary_folder("muscle_survey") as folder:
        motion, output = Path(folder, "motion.npz"), Path(folder, "survey.npz")
        motion.write_bytes(question)

        def ask() -> bytes:
            arguments = {"model": model, "motion": motion, "output": output}
            facts = run_job(muscle_survey, arguments, timeout_s=_TIMEOUT_S, outputs=[output]).values
            return json.dumps(facts).encode() + b"\n" + output.read_bytes()

        answer = load_or_make(answer_key(muscle_survey, [model, motion]), ask)
    facts, _, arrays = answer.partition(b"\n")
    with np.load(io.BytesIO(arrays), allow_pickle=False) as file:
        return json.loads(facts), dict(file)


def cut(seen: Survey, from_s: float, to_s: float) -> Survey:
    """Return a survey of a part of its time."""
    kept = inside(seen.time_s, from_s, to_s)
    arrays = ["time_s", "q", "held", "force", "point", "torque", "body_position", "tau_free", "tau"]
    return dataclasses.replace(seen, **{name: getattr(seen, name)[kept] for name in arrays})
