"""Jobs about OpenSim itself and its models.

OpenSim objects stay in named variables: a child object read from a temporary dangles once Python frees the
temporary.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def version(opensim: ModuleType) -> dict:
    """Return OpenSim's version."""
    return {"opensim": opensim.GetVersion(), "python": sys.version.split()[0]}


def describe_model(opensim: ModuleType, model: str) -> dict:
    """Load and initialise a model and return what OpenSim sees in it, by name (SI units, rad)."""
    loaded = opensim.Model(model)
    state = loaded.initSystem()
    bodies, coordinates, muscles = loaded.getBodySet(), loaded.getCoordinateSet(), loaded.getMuscles()
    motion_of_type = {
        opensim.Coordinate.Rotational: "rotational",
        opensim.Coordinate.Translational: "translational",
        opensim.Coordinate.Coupled: "coupled",
    }
    masses, centers, inertias = {}, {}, {}
    for k in range(bodies.getSize()):
        body = bodies.get(k)
        inertia = body.getInertia()
        moments, products = inertia.getMoments(), inertia.getProducts()
        masses[body.getName()] = body.getMass()
        centers[body.getName()] = _vec3(body.getMassCenter())
        inertias[body.getName()] = _vec3(moments) + _vec3(products)
    return {
        "name": loaded.getName(),
        "total_mass_kg": loaded.getTotalMass(state),
        "gravity": _vec3(loaded.getGravity()),
        "body_mass_kg": masses,
        "body_mass_center": centers,
        "body_inertia": inertias,
        "motions": {
            coordinates.get(k).getName(): motion_of_type[coordinates.get(k).getMotionType()]
            for k in range(coordinates.getSize())
        },
        "muscles": [muscles.get(k).getName() for k in range(muscles.getSize())],
        "muscle_length_m": {
            muscles.get(k).getName(): muscles.get(k).getLength(state) for k in range(muscles.getSize())
        },
    }


def upgrade(opensim: ModuleType, model: str, output: str) -> dict:
    """Write a model file of any version that OpenSim reads in OpenSim's newest version."""
    loaded = opensim.Model(model)
    loaded.finalizeConnections()
    if not loaded.printToXML(output):
        raise RuntimeError("OpenSim could not write the upgraded model")
    return {}


def _vec3(vector: Any) -> list[float]:
    return [vector.get(0), vector.get(1), vector.get(2)]
