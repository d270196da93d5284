"""Bodies of our own people, and their gaits at their size.

Optimal control is done once a gait, on the generic body with soles under its feet. A body of another height
and mass moves similarly: angles are the same, lengths grow by the factor L, times by its square root, forces
by the factor of mass. So one gait serves people of several sizes and stays exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import build
from sspinn_opensim.builtin_network.making.gaits import Style, task_of
from sspinn_opensim.simulation.optimal_gait import OptimalGait, driven_by_contact, softened, solve

#: Mean cost of an instant above which a motion is no gait: good ones cost 2 to 15.
FAR_OFF = 50.0


@dataclass(frozen=True)
class Motion:
    """A motion at even times, with what it needs.

    Attributes
    ----------
    q, u, udot, tau : (n, c) ndarray
    force : (n, p, 3) ndarray
        At the contact points in the order of the model's spheres, N.
    """

    q: np.ndarray
    u: np.ndarray
    udot: np.ndarray
    tau: np.ndarray
    force: np.ndarray


def with_soles(model: Model, heel_m: float, forefoot_m: float) -> Model:
    """Return a model whose contact spheres are lowered by the thickness of soles."""
    drop = {"heel": heel_m, "toe": forefoot_m}
    spheres = tuple(
        replace(s, location=(s.location[0], s.location[1] - drop[s.name.rsplit("_", 1)[0]], s.location[2]))
        for s in model.contact_spheres
    )
    return replace(model, contact_spheres=spheres)


def sized(model: Model, length: float, mass: float) -> Model:
    """Return a model scaled by one factor of length and one of mass."""

    def times(values: Iterable[float], factor: float) -> tuple[float, ...]:
        return tuple(factor * value for value in values)

    def moved(frame):
        return replace(frame, translation=times(frame.translation, length))

    return replace(
        model,
        bodies=tuple(
            replace(
                b,
                mass=mass * b.mass,
                mass_center=times(b.mass_center, length),
                inertia=times(b.inertia, mass * length**2),
            )
            for b in model.bodies
        ),
        joints=tuple(replace(j, parent=moved(j.parent), child=moved(j.child)) for j in model.joints),
        contact_spheres=tuple(
            replace(s, location=times(s.location, length), radius=length * s.radius)
            for s in model.contact_spheres
        ),
    )


def find_gait(model: Model, style: Style) -> OptimalGait | None:
    """Return the gait of a style; where there is none near the curves, one further off, or None."""
    body = with_soles(model, style.sole_heel_m, style.sole_forefoot_m)
    for tolerance in (1.0, 2.0):
        try:
            found = solve(body, task_of(style, tolerance))
        except RuntimeError:
            continue
        if found.objective < FAR_OFF:
            return found
    return None


def motion_of(gait: OptimalGait, body: Model, length: float, mass: float, time_s: np.ndarray) -> Motion:
    """Return a gait as a person of another size does it.

    Parameters
    ----------
    body : Model
        The body that the gait was found for.
    length, mass : float
        Factors from that body to the person.
    time_s : (n,) ndarray
        Of the person.
    """
    slower = np.sqrt(length)
    own_s = time_s / slower
    q, u, udot = gait.motion(own_s)
    # The law that the gait was found with; its first outputs are joint moments and contact forces.
    law = driven_by_contact(softened(body, gait.task.stages[-1])).map(len(own_s))
    tau, force, *_ = (out.full() for out in law(q.T, u.T, udot.T))
    steps = [c.motion != "rotational" for c in body.coordinates]
    far = np.where(steps, length, 1.0)
    return Motion(
        q * far,
        u * far / slower,
        udot * far / slower**2,
        tau.T * mass * np.where(steps, 1.0, length),
        _by_sphere(body, force.T.reshape(len(own_s), -1, 3)) * mass,
    )


def _by_sphere(body: Model, force: np.ndarray) -> np.ndarray:
    """Return forces of contact laws as forces at contact spheres, each in the order of the model."""
    place = {sphere.name: k for k, sphere in enumerate(body.contact_spheres)}
    found = np.zeros((len(force), len(place), 3))
    for k, law in enumerate(body.contact_forces):
        found[:, place[law.sphere]] += force[:, k]
    return found


def standing(body: Model, posture: dict[str, float], weight_n: float, frames: int) -> Motion:
    """Return someone who stands still: both feet down, the load shared equally by the contact points.

    Parameters
    ----------
    posture : dict of str to float
        Coordinates in rad; the height follows from the feet.
    """
    names = body.coordinate_names
    q = np.array([posture.get(name, c.default) for name, c in zip(names, body.coordinates, strict=True)])
    q[names.index("pelvis_ty")] = 0.0
    functions = build(body, ())
    zero = np.zeros(len(names))
    out = functions.dynamics(
        q=q,
        u=zero,
        udot=zero,
        contact_force=np.zeros(3 * len(body.contact_spheres)),
        sensor_position=np.zeros(0),
        parameters=functions.parameters,
    )
    heights = out["contact_position"].full().ravel()[1::3]
    q[names.index("pelvis_ty")] = -heights.min()
    force = np.zeros((frames, len(body.contact_spheres), 3))
    force[:, :, 1] = weight_n / len(body.contact_spheres)
    rest = np.zeros((frames, len(names)))
    return Motion(np.tile(q, (frames, 1)), rest, rest, rest, force)
