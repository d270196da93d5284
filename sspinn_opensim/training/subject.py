"""A subject's model as training needs it: compiled dynamics, and which coordinate plays which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import casadi as ca
import numpy as np
import torch

from casadi_dynamics.compiled import TorchFunction, compile_torch
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import ImuFrame, Model
from casadi_dynamics.model.types import GROUND
from casadi_dynamics.symbolic import BodyFunctions, build
from casadi_dynamics.symbolic.constraints import independent_coordinates
from casadi_dynamics.symbolic.heading import RootHeading, root_heading
from casadi_dynamics.symbolic.posture import moving_coordinates, posture, without_forces
from sspinn_opensim.anatomy.feet import foot_of
from sspinn_opensim.anatomy.names import MIDDLE, other_side, segment_of, without_side
from sspinn_opensim.anatomy.sagittal import root_stays_in_plane
from sspinn_opensim.anatomy.shanks import Shank, shanks
from sspinn_opensim.recording import Recording
from sspinn_opensim.recording.movement.sagittal import IN_PLANE
from sspinn_opensim.recording.sensors.places import place
from sspinn_opensim.training.modelled import Modelled, dynamics_with_held, modelled
from sspinn_opensim.training.roles import (
    ALIGNED,
    Roles,
    facing_ahead,
    refuse_followers,
    refuse_turned_root,
    refuse_untrainable,
    roles_of,
)
from sspinn_opensim.training.segment_map import leaning, segment_map, turning

#: The upright trunk of walking and running leans forward a little, rad (rotation about z is backward).
TRUNK_LEAN_RAD = -0.03
_LEGS = ("thigh", "shank", "foot")
#: Frames of coordinates that couplers complete at once.
_PIECE = 8192


@dataclass(frozen=True)
class Subject:
    """A scaled model with sensors on it.

    Attributes
    ----------
    functions : BodyFunctions
        With one virtual IMU per sensor of the recording, in the axes its signals are in.
    fixed : dict of str to float
        Coordinates that are not estimated, and their values (rad or m).
    height_m : float
        Body height, for the scale of moments.
    sensor_position : (3 k,) ndarray
        Places of the sensors in body axes, m.
    """

    model: Model
    functions: BodyFunctions
    fixed: dict[str, float]
    height_m: float
    sensor_position: np.ndarray

    def __reduce__(self) -> tuple[Any, ...]:
        # Expressions cannot be pickled; another process builds them again.
        return _rebuilt, (
            self.model,
            self.functions.imu_frames,
            self.fixed,
            self.height_m,
            self.sensor_position,
        )

    @cached_property
    def body_weight(self) -> float:
        """Weight in N, by the model's own gravity."""
        return self.model.total_mass * float(np.linalg.norm(self.model.gravity))

    @cached_property
    def moment_scale(self) -> float:
        """Body weight times height, N m."""
        return self.body_weight * self.height_m

    @cached_property
    def floor_m(self) -> float:
        """Height of the floor in ground, m; zero where the model has no floor of its own."""
        return self.model.half_spaces[0].height if self.model.half_spaces else 0.0

    @cached_property
    def feet(self) -> tuple[str, ...]:
        """For each contact point the body of its foot: toes that do not move in the foot are part of it."""
        bodies = [sphere.body for sphere in self.model.contact_spheres]
        return tuple(foot_of(self.model, body, bodies, self.fixed) for body in bodies)

    @cached_property
    def feet_with_toes(self) -> tuple[str, ...]:
        """For each contact point the body of its foot, whether toes move in it or not."""
        bodies = [sphere.body for sphere in self.model.contact_spheres]
        return tuple(foot_of(self.model, body, bodies) for body in bodies)

    @cached_property
    def feet_of_sensors(self) -> tuple[str, ...]:
        """For each sensor the body of the foot it is on, or its own body if that is no foot."""
        bodies = list(self.feet)
        return tuple(
            foot_of(self.model, frame.body, bodies, self.fixed) for frame in self.functions.imu_frames
        )

    @cached_property
    def points_on_feet(self) -> np.ndarray:
        """Ones and zeros, (feet, points): which contact points are on which foot."""
        feet = np.array(self.feet)
        return (np.array(list(dict.fromkeys(self.feet)))[:, None] == feet).astype(float)

    @cached_property
    def shanks(self) -> tuple[Shank, ...]:
        """Shanks that lean in the plane of walking; none in models that leave it."""
        return shanks(self.model) if self.planar else ()

    @cached_property
    def points_below_shanks(self) -> np.ndarray:
        """Ones and zeros, (shanks, points): which contact points are on the foot below, toes included."""
        bodies = [sphere.body for sphere in self.model.contact_spheres]
        below = [float(body in one.foot) for one in self.shanks for body in bodies]
        return np.reshape(below, (len(self.shanks), len(bodies)))

    @cached_property
    def ends_of_shanks(self) -> ca.Function:
        """Ankle and knee of each shank in ground, `place` (6 per shank), of all coordinates `q`."""
        functions, still = self.functions, ca.SX.zeros(len(self.functions.coordinates))
        q = ca.SX.sym("q", len(functions.coordinates))
        known = ca.SX(q)
        for name, value in self.fixed.items():
            known[functions.coordinates.index(name)] = value
        if self.roles.dependent:
            independent = [functions.coordinates.index(name) for name in functions.independent]
            slow = ca.SX.zeros(len(independent))
            driven = {"u_independent": slow, "udot_independent": slow, "parameters": functions.parameters}
            known = functions.coupling(q_independent=known[independent], **driven)["q"]
        bodies = [one.body for one in self.shanks for _ in range(2)]
        station = np.ravel([(one.ankle, one.knee) for one in self.shanks])
        moved = functions.stations(bodies)(
            q=known, u=still, udot=still, station=station, parameters=functions.parameters
        )
        return ca.Function("ends_of_shanks", [q], [ca.cse(moved["position"])], ["q"], ["place"])

    @cached_property
    def turned_by_tissue(self) -> np.ndarray:
        """Angular rates (k, 3) that a sensor on a leg shares little of with the segments of a model.

        Tissue turns it about the long axis of the thigh, and knees and ankles of models are hinges, which
        those of people are not. Only about the axis to the right it turns as the model does.
        """
        found = np.zeros((len(self.functions.imu_frames), 3), bool)
        for k, frame in enumerate(self.functions.imu_frames):
            segment = segment_of(frame.body)
            if segment and segment[0] in _LEGS:
                found[k] = np.abs(np.array(frame.rotation)[2]) < IN_PLANE
        return found

    @cached_property
    def contact_in_default_posture(self) -> np.ndarray:
        """Places of the contact points, (points, 3) in ground, m: the root at height zero."""
        return self._in_default_posture["contact_position"]

    @cached_property
    def up_along_trunk(self) -> np.ndarray:
        """Up along the axes of each sensor on pelvis or trunk in the default posture, (k, 3); else zeros."""
        up = self._in_default_posture["imu_up"].copy()
        for k, frame in enumerate(self.functions.imu_frames):
            segment = segment_of(frame.body)
            if segment is None or segment[0] not in MIDDLE:
                up[k] = 0.0
        return up

    @cached_property
    def _in_default_posture(self) -> dict[str, np.ndarray]:
        """What the dynamics say of someone at rest, (k, 3): the root at height zero."""
        q = np.array([self.fixed.get(c.name, c.default) for c in self.model.coordinates])
        q[self.roles.vertical] = 0.0
        zeros = np.zeros(len(q))
        out = self.dynamics(
            q=q,
            u=zeros,
            udot=zeros,
            contact_force=np.zeros(self.functions.dynamics.numel_in("contact_force")),
            sensor_position=self.sensor_position,
            parameters=self.functions.parameters,
        )
        return {name: np.array(out[name]).reshape(-1, 3) for name in ("contact_position", "imu_up")}

    @cached_property
    def root_has_sensor(self) -> bool:
        """Whether a sensor sits on a body that a joint ties to ground: it feels how the root leans."""
        roots = {joint.child.body for joint in self.model.joints if joint.parent.body == GROUND}
        return any(frame.body in roots for frame in self.functions.imu_frames)

    @cached_property
    def unfelt(self) -> tuple[int, ...]:
        """Coordinates with a joint moment that move no sensor: only physics and priors speak of them."""
        observed = moving_coordinates(self.model, [frame.body for frame in self.functions.imu_frames])
        return tuple(i for i in self.roles.actuated if self.model.coordinate_names[i] not in observed)

    @cached_property
    def upright(self) -> tuple[int, ...]:
        """Coordinates of the joint that ties a trunk to the root, where no sensor feels the trunk, in space.

        The trunk of someone who walks or runs moves against the pelvis so as to stay upright (Krebs et al.
        1992, Phys Ther 72:505; Thorstensson et al. 1984, Acta Physiol Scand 121:9). So one that is not felt
        is taken to lean by `TRUNK_LEAN_RAD` and to face ahead in the walking frame: its joint turns back what
        the root turns.
        """
        if self.planar:
            return ()
        names = self.model.coordinate_names
        return tuple(i for i in self.unfelt if names[i] in _trunk_joints(self.model))

    @cached_property
    def roles(self) -> Roles:
        """Which coordinate plays which part."""
        return roles_of(self.model, self.fixed)

    @cached_property
    def heading(self) -> RootHeading | None:
        """How the root turns about the vertical; None where it keeps its heading."""
        names = self.model.coordinate_names
        return root_heading(self.model, {*self.fixed, *(names[i] for i in self.roles.dependent)})

    @cached_property
    def planar(self) -> bool:
        """Whether the root stays in the sagittal plane: it neither steps sideways nor turns out of it."""
        return root_stays_in_plane(self.model, self.fixed)

    @cached_property
    def root_turns_backward(self) -> dict[int, float]:
        """For each coordinate that turns the root, how far its axis is z of ground: leaning backward."""
        return {i: float(axis[2]) for i, axis in self._root_axes.items()}

    @cached_property
    def root_frontal_moment(self) -> dict[int, float]:
        """For each coordinate that turns the root, what its force adds to the moment about x of ground.

        Generalized forces are the moment along the axes, which are those of the default posture here.
        """
        axes = self._root_axes
        return dict(zip(axes, np.linalg.pinv(np.array(list(axes.values())))[0].tolist(), strict=True))

    @cached_property
    def mirrored_turns(self) -> tuple[tuple[int, int, float], ...]:
        """Estimated coordinates that turn right and left legs out of the sagittal plane, as the hips' do.

        Each pair with the sign by which the left one counts: their sum is zero where each is the other's
        mirror image, as it turns the other way round about x (adduction) and y (rotation).
        """
        axis, names = posture(self.model).axis, self.model.coordinate_names
        turning = [names[i] for i in self.roles.actuated if names[i] in axis]
        of_legs = moving_coordinates(self.model, self.feet).intersection(turning)
        pairs = [(name, other_side(name)) for name in turning if without_side(name)[1] == "r"]
        found = []
        for right, left in (pair for pair in pairs if of_legs.issuperset(pair)):
            way = np.argmax(np.abs(axis[right][:2]))
            turns = axis[right][way], axis[left][way]
            if np.min(np.abs(turns)) > ALIGNED:
                found.append((names.index(right), names.index(left), float(np.sign(np.prod(turns)))))
        return tuple(found)

    @cached_property
    def _root_axes(self) -> dict[int, np.ndarray]:
        """Axis in ground, (3,), of each coordinate that turns the root, in the default posture."""
        names, roles = self.model.coordinate_names, self.roles
        axis = posture(self.model).axis
        return {i: axis[names[i]] for i in roles.root if i not in roles.steps}

    @cached_property
    def modelled(self) -> Modelled:
        """Which sensor channels and contact forces the model can feel."""
        return modelled(self.model, self.dynamics, self.functions.imu_frames, planar=self.planar)

    def describe(self) -> str:
        """Return which coordinates are estimated, held and driven by others, in one sentence."""
        names, roles = self.functions.coordinates, self.roles
        estimated = [names[i] for i in sorted({*roles.posture, *roles.steps})]
        held = [f"{len(self.fixed)} held at a value"] if self.fixed else []
        driven = [f"{len(roles.dependent)} driven by couplers"] if roles.dependent else []
        return f"{len(estimated)} of {len(names)} coordinates are estimated: " + "; ".join(
            [", ".join(estimated), *held, *driven]
        )

    def compiled(self, dtype: torch.dtype = torch.float32) -> TorchFunction:
        """Return the dynamics as a torch function."""
        return compile_torch(self.dynamics, dtype)

    @cached_property
    def dynamics(self) -> ca.Function:
        """The dynamics with dependent coordinates driven by those they follow, and fixed ones as constants.

        Inputs and outputs are those of `BodyFunctions.dynamics` of the whole model. What `q`, `u` and `udot`
        say of fixed and dependent coordinates is not used, and their `tau` is zero.
        """
        return dynamics_with_held(self.functions, self.fixed)

    def completed(self, q: np.ndarray) -> np.ndarray:
        """Return coordinates (frames, n) with the dependent ones where their couplers put them."""
        if not self.roles.dependent:
            return q
        places = [self.functions.coordinates.index(name) for name in self.functions.independent]
        still = np.zeros(len(places))
        inputs = {"u_independent": still, "udot_independent": still, "parameters": self.functions.parameters}
        coupled = np.empty(q.shape)
        for start in range(0, len(q), _PIECE):  # all of a long recording at once would take its memory
            part = q[start : start + _PIECE, places]
            coupled[start : start + _PIECE] = (
                self.functions.coupling(q_independent=part.T, **inputs)["q"].full().T
            )
        return coupled

    def segment_map(self) -> np.ndarray:
        """Return the map from orientations of segments to posture coordinates (`segment_map`)."""
        return segment_map(self.turning(), self._upright_in_posture, planar=self.planar)

    def usual_posture(self) -> np.ndarray:
        """Return the angles of `Roles.posture` around which the network tells them, rad.

        They are those of the default posture; but a trunk that stays `upright` leans by `TRUNK_LEAN_RAD`.
        """
        default = np.array([c.default for c in self.model.coordinates])[list(self.roles.posture)]
        return default + leaning(self.turning(), self._upright_in_posture, TRUNK_LEAN_RAD)

    @property
    def _upright_in_posture(self) -> list[int]:
        return [k for k, i in enumerate(self.roles.posture) if i in self.upright]

    def turning(self) -> np.ndarray:
        """Return the angular velocities of bodies by the speeds of the posture (`turning`)."""
        return turning(self.functions, [self.functions.coordinates[i] for i in self.roles.posture])


def make_subject(
    model: Model, recording: Recording, held: Mapping[str, float], *, height_m: float
) -> Subject:
    """Return a subject for a model and the sensors of a recording.

    Parameters
    ----------
    model : Model
        Already scaled.
    held : mapping of str to float
        Coordinates that are not estimated and their values, rad or m; locked ones join them at their default.

    Raises
    ------
    InputError
        If a sensor, body, joint or coordinate is unknown, no joint is estimated, the model has no floor
        contact, its root is held facing another way than x of ground, or it has joints or constraints that
        training cannot use.
    """
    for name in held:
        model.coordinate(name)
    refuse_followers(model, held)
    if not model.contact_spheres:
        raise InputError(
            "The model has no contact points, so ground forces cannot be estimated.",
            where=f"model '{model.name}'",
            expected="ContactSphere elements on the feet",
            found="none",
            fix='leave out [model] contact = "model", or add spheres under heel and toe in OpenSim',
        )
    frames = tuple(place(sensor, model) for sensor in recording.sensors)
    independent = independent_coordinates(model)
    locked = {c.name: c.default for c in model.coordinates if c.locked and c.name in independent}
    held = {name: value for name, value in locked.items() if name not in held} | dict(held)
    refuse_untrainable(model, held)
    refuse_turned_root(model, held)
    model = facing_ahead(model)
    positions = np.array([x for frame in frames for x in frame.position])
    subject = _rebuilt(model, frames, held, height_m, positions)
    return subject if subject.planar else replace(subject, fixed=_held_on(subject))


def _rebuilt(
    model: Model,
    frames: tuple[ImuFrame, ...],
    fixed: dict[str, float],
    height_m: float,
    positions: np.ndarray,
) -> Subject:
    return Subject(model, build(without_forces(model), frames), fixed, height_m, positions)


def _held_on(subject: Subject) -> dict[str, float]:
    """Return what stays held in space, where a trunk that no sensor feels need not ride on the root.

    What the model locks, or is held at another value than its default, stays as well.
    """
    model, trunk = subject.model, _trunk_joints(subject.model)
    felt = moving_coordinates(model, [frame.body for frame in subject.functions.imu_frames])
    known = {c.name: c for c in model.coordinates}
    return {
        name: value
        for name, value in subject.fixed.items()
        if name not in trunk or name in felt or known[name].locked or value != known[name].default
    }


def _trunk_joints(model: Model) -> set[str]:
    """Return the names of the angles between the root and a trunk that it carries."""
    roots = {joint.child.body for joint in model.joints if joint.parent.body == GROUND}
    on_root = {
        joint.name
        for joint in model.joints
        if joint.parent.body in roots
        and segment_of(joint.child.body) == ("trunk", "")
        and joint.speeds == "rates"
    }
    return {c.name for c in model.coordinates if c.joint in on_root and c.motion == "rotational"}
