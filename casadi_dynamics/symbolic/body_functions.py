"""A model's named CasADi functions, each built when it is first asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import casadi as ca
import numpy as np

from casadi_dynamics.model import Frame, ImuFrame
from casadi_dynamics.model.forces import HuntCrossleyForce
from casadi_dynamics.symbolic.constraints import (
    acceleration_errors,
    constraint_equations,
    independent_coordinates,
    position_errors,
    velocity_errors,
)
from casadi_dynamics.symbolic.contact import ContactPoint, center_of, lowest_point
from casadi_dynamics.symbolic.coupled import coupled_dynamics, coupling, independent_dynamics
from casadi_dynamics.symbolic.dynamics import (
    Wrench,
    by_body,
    center_of_mass,
    coriolis_forces,
    generalized_forces,
    gravity_forces,
    kinetic_energy,
    mass_matrix,
    potential_energy,
    wrench_at,
)
from casadi_dynamics.symbolic.forces import Action, action, generalized, in_ground
from casadi_dynamics.symbolic.kinematics import BodyMotion
from casadi_dynamics.symbolic.on_bodies import (
    imu_readings,
    imu_velocity_and_up,
    motion_of_frames,
    motion_of_points,
)
from casadi_dynamics.symbolic.paths import muscle_paths, path_ways
from casadi_dynamics.symbolic.rates import coordinate_accelerations, coordinate_rates, speeds
from casadi_dynamics.symbolic.samples import at_samples
from casadi_dynamics.symbolic.tree import Tree, stack


@dataclass(frozen=True)
class BodyFunctions:
    """The functions of a model, with the names of every axis of their inputs and outputs.

    Every function has the input `parameters` (see `parameter_names`) and, of `q`, `u` and `udot` (n each),
    those it depends on. Vectors of several bodies or points stand below one another. SI units; motions and
    forces in ground unless said otherwise.

    Attributes
    ----------
    tree : Tree
        The expressions behind the functions.
    imu_frames : tuple of ImuFrame
        What carries the sensors of `dynamics`.
    """

    tree: Tree
    imu_frames: tuple[ImuFrame, ...]

    def at(self, function: str | ca.Function, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate a function of the model at N samples.

        Parameters
        ----------
        function : str or casadi.Function
            Name of a function without choices, such as ``"kinematics"``, or what `inverse_dynamics`,
            `stations`, `muscles` and their like return.
        **inputs : (N, size) or (size,) arrays
            As for `at_samples`. A state may hold more of `q`, `u` and `udot` than the function takes. Without
            `parameters` they are the model's own.

        Returns
        -------
        dict of str to ndarray
            As `at_samples` returns them.
        """
        chosen = getattr(self, function) if isinstance(function, str) else function
        return at_samples(chosen, {"parameters": self.parameters} | inputs, unused=("q", "u", "udot"))

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names along the axes of `q`, `u`, `udot` and `tau`."""
        return self.tree.model.coordinate_names

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names of the bodies, in the order of `kinematics`."""
        return tuple(body.name for body in self.tree.model.bodies)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors of `dynamics`."""
        return tuple(frame.name for frame in self.imu_frames)

    @property
    def contact_points(self) -> tuple[str, ...]:
        """Names of the contact points of `dynamics`."""
        return tuple(sphere.name for sphere in self.tree.model.contact_spheres)

    @property
    def contact_forces(self) -> tuple[str, ...]:
        """Names along the axis of `contact`: of a smooth force on its sphere's body, else `force.body`."""
        return tuple(self._contacts)

    @property
    def forces(self) -> tuple[str, ...]:
        """Names of the forces of `passive_forces`."""
        return tuple(self._actions)

    @property
    def muscle_names(self) -> tuple[str, ...]:
        """Names of all muscles, in the order of `muscles`."""
        return tuple(m.name for m in self.tree.model.muscles)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names along the axis of `parameters`."""
        return tuple(self.tree.parameters.names)

    @property
    def parameters(self) -> np.ndarray:
        """The model's own values of the parameters, (m,)."""
        return self.tree.parameters.values

    @cached_property
    def program_hash(self) -> str:
        """SHA-256 of `dynamics`, `kinematics` and `contact`: one for all subjects scaled from one model."""
        programs = (self.dynamics, self.kinematics, self.contact)
        return hashlib.sha256("".join(f.serialize() for f in programs).encode()).hexdigest()

    @cached_property
    def dynamics(self) -> ca.Function:
        """What training needs, in one function.

        Inputs `q`, `u`, `udot`, `contact_force` (3 per contact point; on the foot, in ground, N),
        `sensor_position` (3 per sensor; in body axes, m) and `parameters`. Outputs `tau` (n; generalized
        forces that drive the motion), `imu_acceleration` (3 per sensor; specific force in sensor axes,
        m/s^2), `imu_angular_rate` (3 per sensor; in sensor axes, rad/s), `imu_velocity` (3 per sensor; in
        ground, m/s), `imu_up` (3 per sensor; direction against gravity, in sensor axes), `contact_position`
        and `contact_velocity` (3 per contact point, in ground).
        """
        tree, points = self.tree, self._points
        force = ca.SX.sym("contact_force", 3 * len(points))
        acting = []
        for i, sphere in enumerate(tree.model.contact_spheres):
            in_body = tree.motions[sphere.body].rotation.T @ force[3 * i : 3 * i + 3]
            # By the arm, not by two positions in ground: far from the origin their difference loses digits.
            acting.append((sphere.body, Wrench(in_body, ca.cross(points[sphere.name].arm, in_body))))
        placement = ca.SX.sym("sensor_position", 3 * len(self.imu_frames))
        places = [placement[3 * i : 3 * i + 3] for i in range(len(self.imu_frames))]
        outputs = {
            "tau": generalized_forces(tree, by_body(acting)),
            **imu_readings(tree, self.imu_frames, places),
            **imu_velocity_and_up(tree, self.imu_frames, places),
            "contact_position": stack(point.position for point in points.values()),
            "contact_velocity": stack(point.velocity for point in points.values()),
        }
        return tree.function("dynamics", "q u udot", outputs, contact_force=force, sensor_position=placement)

    @cached_property
    def kinematics(self) -> ca.Function:
        """Motion of every body from `q`, `u`, `udot`.

        Outputs per body `position` (3), `rotation` (9, row by row; columns are body axes in ground),
        `velocity`, `omega`, `acceleration`, `alpha` (3 each; of the origin) and `mass_center` (3).
        """
        tree = self.tree
        motions = [tree.motions[name] for name in self.bodies]
        centers = [tree.parameters[f"{name}.mass_center"] for name in self.bodies]
        outputs = motion_of_frames([(motion, ca.SX(3, 1), ca.DM.eye(3)) for motion in motions])
        outputs["mass_center"] = stack(
            m.position + m.rotation @ center for m, center in zip(motions, centers, strict=True)
        )
        return tree.function("kinematics", "q u udot", outputs)

    @cached_property
    def mass_matrix(self) -> ca.Function:
        """`M` (n, n) of `q`: M udot are the forces of inertia at rest."""
        return self.tree.function("mass_matrix", "q", {"M": mass_matrix(self.tree)})

    @cached_property
    def gravity(self) -> ca.Function:
        """`G` (n,) of `q`: the generalized forces that hold the weight of the model."""
        return self.tree.function("gravity", "q", {"G": gravity_forces(self.tree)})

    @cached_property
    def coriolis(self) -> ca.Function:
        """`C` (n,) of `q` and `u`: the centrifugal and Coriolis forces, so that tau = M udot + C + G."""
        return self.tree.function("coriolis", "q u", {"C": coriolis_forces(self.tree)})

    @cached_property
    def rates(self) -> ca.Function:
        """`qdot` and `qddot` (n each) of `q`, `u` and `udot`.

        They are `u` and `udot` but for the angles of Ball, Free, Ellipsoid and Scapulothoracic joints.
        """
        tree = self.tree
        outputs = {"qdot": coordinate_rates(tree), "qddot": coordinate_accelerations(tree)}
        return tree.function("rates", "q u udot", outputs)

    @cached_property
    def speeds(self) -> ca.Function:
        """`u` and `udot` (n each) of `q` and its derivatives `qdot` and `qddot`: the inverse of `rates`."""
        q, qdot, qddot = (ca.SX.sym(name, len(self.coordinates)) for name in ("q", "qdot", "qddot"))
        u, udot = speeds(self.tree.model, q, qdot, qddot)
        return ca.Function("speeds", [q, qdot, qddot], [u, udot], ["q", "qdot", "qddot"], ["u", "udot"])

    @property
    def independent(self) -> tuple[str, ...]:
        """Names of the coordinates that no coupler sets: the axes of the inputs of `coupling`."""
        return independent_coordinates(self.tree.model)

    @cached_property
    def coupling(self) -> ca.Function:
        """The motion of all coordinates that goes with that of the `independent` ones.

        Inputs `q_independent`, `u_independent`, `udot_independent` and `parameters`; outputs `q`, `u`, `udot`
        (n each) and `C` (n, independent), the Jacobian of `q`: C^T tau are the forces on the independent
        coordinates that do the work of tau.
        """
        return coupling(self.tree, self.independent)

    @cached_property
    def independent_dynamics(self) -> ca.Function:
        """`dynamics` of the independent coordinates: `q`, `u`, `udot` and `tau` have their axes alone."""
        return independent_dynamics(self.dynamics, self.tree, self.independent)

    @cached_property
    def coupled_dynamics(self) -> ca.Function:
        """`dynamics` with its own inputs and outputs, whose dependent coordinates follow the others.

        What `q`, `u` and `udot` say of them is not used, and their `tau` is zero: couplers drive them, and
        what that takes is part of the `tau` of the coordinates they follow.
        """
        places = [self.coordinates.index(name) for name in self.independent]
        return coupled_dynamics(self.dynamics, self.independent_dynamics, places)

    @property
    def constraint_equations(self) -> tuple[str, ...]:
        """Names of the equations between bodies, along the axis of `multipliers` of `constraints`."""
        return tuple(name for name, _ in constraint_equations(self.tree.model))

    @cached_property
    def constraints(self) -> ca.Function:
        """The constraints between bodies, which the other functions leave to the caller.

        Inputs `q`, `u`, `udot`, `multipliers` (m) and `parameters`; outputs `position_error` (m),
        its time derivatives `velocity_error` and `acceleration_error`, `G` (m, n) with velocity error = G u,
        and `force` (n) = G^T multipliers: the generalized forces of the constraints. What has to be applied
        beside them is tau - force.
        """
        tree = self.tree
        multipliers = ca.SX.sym("multipliers", len(self.constraint_equations))
        position = position_errors(tree)
        velocity = velocity_errors(tree, position)
        jacobian = ca.jacobian(velocity, tree.u)
        outputs = {
            "position_error": position,
            "velocity_error": velocity,
            "acceleration_error": acceleration_errors(tree, velocity),
            "G": jacobian,
            "force": jacobian.T @ multipliers,
        }
        return tree.function("constraints", "q u udot", outputs, multipliers=multipliers)

    @cached_property
    def center_of_mass(self) -> ca.Function:
        """`position`, `velocity` and `acceleration` (3 each) of the model's mass centre.

        A model without mass has none; like OpenSim it then gives zeros.
        """
        return self.tree.function("center_of_mass", "q u udot", center_of_mass(self.tree))

    @cached_property
    def energy(self) -> ca.Function:
        """`kinetic` and `potential` energy (J) of `q` and `u`; the potential is zero at ground's origin."""
        outputs = {"kinetic": kinetic_energy(self.tree), "potential": potential_energy(self.tree)}
        return self.tree.function("energy", "q u", outputs)

    @cached_property
    def contact(self) -> ca.Function:
        """What contact does to bodies by the laws of the model, of `q` and `u`; see `contact_forces`.

        Outputs `force` (3 each; on the body, in ground) and `moment` (3; about the body origin, in ground).
        """
        acting = [(body, self._actions[force].wrenches[body]) for force, body in self._contacts.values()]
        pairs = [in_ground(wrench, self.tree.motions[body]) for body, wrench in acting]
        outputs = {"force": stack(force for force, _ in pairs), "moment": stack(m for _, m in pairs)}
        return self.tree.function("contact", "q u", outputs)

    @cached_property
    def passive_forces(self) -> ca.Function:
        """Generalized forces of all that acts without muscles (contact included), of `q` and `u`.

        Outputs `total` (n) and `each` (n per force of `forces`, one after the other). With these forces
        acting, what is left for muscles and motors is tau - total.
        """
        each = [generalized(acting, self.tree) for acting in self._actions.values()]
        none = ca.SX.zeros(len(self.coordinates))
        return self.tree.function("passive_forces", "q u", {"total": sum(each, none), "each": stack(each)})

    @cached_property
    def parting(self) -> ca.Function:
        """Output `pull` (N; one per force of `forces`) of `q` and `u`.

        It is what the hardest-pulling pair of surfaces of a Hunt-Crossley force would pull with, where they
        part so fast that the force of the pair is kept at zero; 0 for all other forces.
        """
        least = [ca.mmin(ca.vertcat(0, *acting.pressures)) for acting in self._actions.values()]
        return self.tree.function("parting", "q u", {"pull": -stack(least)})

    def inverse_dynamics(self, bodies: Sequence[str] = ()) -> ca.Function:
        """Return the forces that drive a motion against external wrenches on the named `bodies`.

        Inputs `q`, `u`, `udot` and, if any body is named, per body `force` (3; N), `point` (3; where the
        force acts, m) and `torque` (3; a free torque, N m), all in ground. Output `tau` (n). A body may be
        named more than once. The place of a point that is fixed to a body is the `position` of `stations`.

        Raises
        ------
        InputError
            If the model has no such body.
        """
        tree = self.tree
        force, point, torque = (ca.SX.sym(name, 3, len(bodies)) for name in ("force", "point", "torque"))
        external = by_body(
            (body, wrench_at(self._motion(body), point[:, i], force[:, i], torque[:, i]))
            for i, body in enumerate(bodies)
        )
        inputs = {"force": ca.vec(force), "point": ca.vec(point), "torque": ca.vec(torque)} if bodies else {}
        outputs = {"tau": generalized_forces(tree, external)}
        return tree.function("inverse_dynamics", "q u udot", outputs, **inputs)

    def stations(self, bodies: Sequence[str]) -> ca.Function:
        """Return the motion of one point per named body (or 'ground').

        Inputs `q`, `u`, `udot` and `station` (3 per body; in body axes, m). Outputs `position`, `velocity`
        and `acceleration` (3 each).

        Raises
        ------
        InputError
            If the model has no such body.
        """
        tree = self.tree
        station = ca.SX.sym("station", 3, len(bodies))
        places = [(self._motion(body), station[:, i]) for i, body in enumerate(bodies)]
        return tree.function("stations", "q u udot", motion_of_points(places), station=ca.vec(station))

    def frames(self, frames: Sequence[Frame]) -> ca.Function:
        """Return the motion of frames on bodies, from `q`, `u`, `udot`.

        Outputs per frame as those of `kinematics`, without `mass_center`.

        Raises
        ------
        InputError
            If the model has no such body.
        """
        on_bodies = [(self._motion(f.body), ca.SX(ca.DM(f.translation)), ca.DM(f.rotation)) for f in frames]
        return self.tree.function("frames", "q u udot", motion_of_frames(on_bodies))

    @cached_property
    def imus(self) -> ca.Function:
        """Readings of the model's own IMU frames, from `q`, `u`, `udot`; their places are parameters.

        Outputs `imu_acceleration` (3 per frame; specific force, m/s^2) and `imu_angular_rate` (3; rad/s), in
        the axes of the frames.
        """
        frames = self.tree.model.imu_frames
        places = [self.tree.parameters[f"{frame.name}.position"] for frame in frames]
        return self.tree.function("imus", "q u udot", imu_readings(self.tree, frames, places))

    def virtual_imus(self, frames: Sequence[ImuFrame]) -> ca.Function:
        """Return the readings of IMUs at any frames; their places are the input `sensor_position`.

        Inputs `q`, `u`, `udot` and `sensor_position` (3 per sensor; in body axes, m), outputs as those of
        `imus`.

        Raises
        ------
        InputError
            If the model has no such body.
        """
        for frame in frames:
            self._motion(frame.body)
        place = ca.SX.sym("sensor_position", 3, len(frames))
        readings = imu_readings(self.tree, frames, [place[:, i] for i in range(len(frames))])
        return self.tree.function("virtual_imus", "q u udot", readings, sensor_position=ca.vec(place))

    def muscles(self, names: Sequence[str] | None = None) -> ca.Function:
        """Return length, moment arms and lengthening speed of muscles (by default all), of `q` and `u`.

        See `casadi_dynamics.symbolic.paths.muscle_paths`.
        """
        wanted = self.muscle_names if names is None else tuple(names)
        if wanted not in self._muscle_functions:
            self._muscle_functions[wanted] = muscle_paths(self.tree, wanted)
        return self._muscle_functions[wanted]

    def muscle_ways(self, names: Sequence[str]) -> ca.Function:
        """Return where muscles run, of `q`; see `casadi_dynamics.symbolic.paths.path_ways`."""
        return path_ways(self.tree, names)

    @cached_property
    def _muscle_functions(self) -> dict[tuple[str, ...], ca.Function]:
        """Names -> function, of those that were asked for: with many wrapped muscles one takes seconds."""
        return {}

    @cached_property
    def _actions(self) -> dict[str, Action]:
        """Force -> what it does to bodies and coordinates."""
        model = self.tree.model
        return {force.name: action(force, self.tree) for force in (*model.contact_forces, *model.forces)}

    @cached_property
    def _contacts(self) -> dict[str, tuple[str, str]]:
        """Label -> (force, body) of each wrench of `contact`."""
        model = self.tree.model
        smooth = {law.name: (law.name, model.geometry(law.sphere).body) for law in model.contact_forces}
        hard = [force.name for force in model.forces if isinstance(force, HuntCrossleyForce)]
        return smooth | {
            f"{name}.{body}": (name, body) for name in hard for body in self._actions[name].wrenches
        }

    @cached_property
    def _points(self) -> dict[str, ContactPoint]:
        """Contact sphere -> its lowest point."""
        tree = self.tree
        spheres = tree.model.contact_spheres
        return {s.name: lowest_point(tree.motions[s.body], *center_of(s, tree.parameters)) for s in spheres}

    def _motion(self, body: str) -> BodyMotion:
        """Return the motion of a body, or of ground."""
        if body not in self.tree.motions:
            self.tree.model.body(body)  # raises, with the names there are
        return self.tree.motions[body]
