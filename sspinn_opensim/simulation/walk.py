"""A motion ready to be recorded: read, filtered, turned to lead along x, one stride perhaps repeated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.temporary import temporary_folder
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import BodyFunctions, build
from sspinn_opensim.dynamics.trial import filter_margin_s
from sspinn_opensim.opensim_io.model.upgraded_model import current_file
from sspinn_opensim.recording.resample import uniform_clock
from sspinn_opensim.simulation import heading, places, turning
from sspinn_opensim.simulation.motion import (
    Samples,
    SplineMotion,
    filtered,
    read_motion,
    repeat_stride,
    stride_time,
    through,
)
from sspinn_opensim.simulation.settings import MotionSettings, SimulationSettings
from sspinn_opensim.simulation.shocks import strikes
from sspinn_opensim.simulation.standing import FromStanding
from sspinn_opensim.simulation.states import completed
from sspinn_opensim.simulation.virtual import VirtualRecording, VirtualSensor, oversampling, record

#: Less of a motion than this is no recording, s.
_SHORTEST_S = 0.2
#: Where nothing says which part of a repeated stride is to stay as it is: so much of it from its start.
_KEPT_OF_STRIDE = 0.6


@dataclass(frozen=True)
class Walk:
    """A motion ready to be recorded.

    Attributes
    ----------
    functions : BodyFunctions
        Of its model.
    samples : Samples
        What was read.
    from_s, to_s : float
        The part that is recorded, on the clock of the motion.
    turned_rad : float
        Angle about the vertical by which the motion was turned to lead along x.
    speed_m_s : float
        Mean forward speed, belt included.
    keep_s : tuple of 2 float or None
        The untouched part of a repeated stride, on the clock of the motion.
    course : CubicSpline or None
        Heading (rad) over the clock of the motion, of a walk that was laid along a path.
    start : FromStanding or None
        The motion with a start from standing before that part, if the person stands first.
    """

    functions: BodyFunctions
    motion: SplineMotion
    samples: Samples
    from_s: float
    to_s: float
    turned_rad: float
    speed_m_s: float
    keep_s: tuple[float, float] | None = None
    course: CubicSpline | None = None
    start: FromStanding | None = None

    @property
    def begins_s(self) -> float:
        """When the recording begins, on the clock of the motion."""
        return self.from_s if self.start is None else self.start.begins_s

    def recorded(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return coordinates and two derivatives, (n, c) each, on the clock of the recording."""
        return (self.start or self.motion)(self.begins_s + time_s)


def read_walk(model: Path, motion: Path, settings: SimulationSettings) -> Walk:
    """Return the motion of a model as it will be recorded: filtered, turned, perhaps one stride repeated.

    Without repetition, half a period of the filter is left out at either end, where derivatives are poor.
    """
    functions = build_current(model)
    choice = settings.motion
    samples = read_motion(motion, functions.tree.model, choice.unit)
    duration = samples.time_s[-1] - samples.time_s[0]
    if choice.heading_deg is not None:
        turn = float(np.radians(choice.heading_deg))
    else:
        turn = -heading.heading(functions, samples.q, duration)
    samples = filtered(samples, choice.lowpass_hz)
    # A planar model knows no other heading than its own.
    if abs(turn) > 1e-9:
        samples = replace(samples, q=heading.turned(functions, samples.q, turn))
    moving = through(samples)
    keep = None
    if choice.strides:
        stride_s = stride_time(moving, _swinging(functions, settings), samples.source)
        first = moving.from_s if choice.keep_from_s is None else choice.keep_from_s
        keep = first, first + _KEPT_OF_STRIDE * stride_s if choice.keep_to_s is None else choice.keep_to_s
        moving = repeat_stride(moving, stride_s, keep, _carrying(functions, level=True), choice.strides)
        from_s, to_s = moving.from_s, moving.to_s
    else:
        margin = filter_margin_s(choice.lowpass_hz)
        from_s, to_s = moving.from_s + margin, moving.to_s - margin
        if to_s - from_s < _SHORTEST_S:
            raise InputError(
                "The motion is too short to be recorded.",
                where=str(motion),
                expected=f"more than {2 * margin + _SHORTEST_S:g} s at this low-pass cut-off",
                found=f"{duration:g} s",
            )
    ends = moving(np.array([from_s, to_s]))[0]
    way = np.diff(heading.root_pose(functions, ends)[0], axis=0)[0]
    speed = float(way[0]) / (to_s - from_s)
    course = None
    if choice.path != "straight":
        along = (speed, choice.path, choice.radius_m, choice.straight_m)
        moving, course = turning.bent(functions, moving, (from_s, to_s), *along)
        from_s, to_s, keep = from_s + turning.END_S, to_s - turning.END_S, None
    start = None
    if choice.standing_s:
        posture = _posture(functions, choice)
        start = FromStanding.before(moving, from_s, posture, _carrying(functions), choice.standing_s)
    speed += choice.belt_speed_m_s
    return Walk(functions, moving, samples, from_s, to_s, turn, speed, keep, course, start)


def _posture(functions: BodyFunctions, choice: MotionSettings) -> np.ndarray:
    """Return the coordinates (c,) of the person who stands, facing along x."""
    model = functions.tree.model
    if choice.standing is None:
        return np.array([c.default for c in model.coordinates])
    q = read_motion(choice.standing, model, choice.unit).q.mean(axis=0)[None]
    turn = -heading.heading(functions, q, 1.0)
    return (heading.turned(functions, q, turn) if abs(turn) > 1e-9 else q)[0]


def build_current(model: Path) -> BodyFunctions:
    """Return the functions of a model file of any version that OpenSim reads."""
    with temporary_folder("upgraded_model") as folder:
        return build(read_model(current_file(model, Path(folder))))


def record_walk(
    walk: Walk, sensors: tuple[VirtualSensor, ...], settings: SimulationSettings
) -> VirtualRecording:
    """Return what the sensors record of a walk; time starts at zero."""
    every = oversampling(settings.sampling_rate_hz, settings.errors)
    time_s = uniform_clock(walk.to_s - walk.begins_s, every * settings.sampling_rate_hz)
    time_s = time_s[: (len(time_s) - 1) // every * every + 1]
    state = completed(walk.functions, *walk.recorded(time_s))
    struck = strikes(walk.functions, state["q"], time_s) if settings.errors.ringing else None
    return record(walk.functions, state, time_s, sensors, settings.errors, settings.seed, every, struck)


def scored_window(walk: Walk) -> tuple[float, float] | None:
    """Return the part of the recording that is scored, on its clock, or None: all of it.

    That is the last stride but one of a repeated stride, else what follows a start from standing.
    """
    before_s, stride_s = walk.from_s - walk.begins_s, walk.motion.stride_s
    if stride_s is None:
        return (before_s, walk.to_s - walk.begins_s) if walk.start else None
    from_s = before_s + (round((walk.to_s - walk.from_s) / stride_s) - 2) * stride_s
    return from_s, from_s + stride_s


def _swinging(functions: BodyFunctions, settings: SimulationSettings) -> list[int]:
    """Return the angles that move sensors against the root: what has to repeat with a stride."""
    model = functions.tree.model
    joints = places.moving_joints(
        model, (s.body for s in places.virtual_sensors(functions, settings.sensors))
    )
    root = set(model.root_coordinates())
    return [
        i
        for i, c in enumerate(model.coordinates)
        if c.motion == "rotational" and c.joint in joints and c.name not in root
    ]


def _carrying(functions: BodyFunctions, *, level: bool = False) -> list[int]:
    """Return the coordinates that carry the root, or those alone that carry it along the floor."""
    model = functions.tree.model
    joint = model.joint_of(heading.root_body(functions))
    frame = np.array(joint.parent.rotation)
    axes = [a for a in joint.translations if a.coordinate]
    if level:
        axes = [a for a in axes if abs((frame @ a.axis)[1]) < 0.5]
    return [functions.coordinates.index(a.coordinate) for a in axes if a.coordinate]
