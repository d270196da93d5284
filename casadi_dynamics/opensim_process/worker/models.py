"""Jobs about OpenSim itself, its models and its tables.

Used inside the worker process, which hands over its `opensim` module; nothing here imports it. OpenSim
objects stay in named variables: a child object read from a temporary dangles once Python frees the temporary.
"""

from __future__ import annotations

import sys

import numpy as np


def version(opensim) -> dict:
    """Return OpenSim's version."""
    return {"opensim": opensim.GetVersion(), "python": sys.version.split()[0]}


def describe_model(opensim, model: str) -> dict:
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


def scale(
    opensim,
    model: str,
    output: str,
    name: str,
    mass_kg: float,
    factors: dict,
    preserve_mass_distribution: bool = True,
) -> dict:
    """Scale every body along its axes, and the total mass, as ScaleTool's manual scaling does."""
    generic = opensim.Model(model)
    state = generic.initSystem()
    scale_set = opensim.ScaleSet()
    for body, (x, y, z) in factors.items():
        segment = opensim.Scale()
        segment.setSegmentName(body)
        segment.setScaleFactors(opensim.Vec3(x, y, z))
        segment.setApply(True)
        scale_set.cloneAndAppend(segment)
    if not generic.scale(state, scale_set, preserve_mass_distribution, mass_kg):
        raise RuntimeError("OpenSim could not scale the model")
    generic.setName(name)
    generic.printToXML(output)
    return {}


def upgrade(opensim, model: str, output: str) -> dict:
    """Write a model file of any version that OpenSim reads in OpenSim's newest version."""
    loaded = opensim.Model(model)
    loaded.finalizeConnections()
    if not loaded.printToXML(output):
        raise RuntimeError("OpenSim could not write the upgraded model")
    return {}


def read_storage(opensim, path: str) -> dict:
    """Read one table with OpenSim's two readers and return what each found."""
    table = opensim.TimeSeriesTable(path)
    time = np.array(table.getIndependentColumn())
    matrix = table.getMatrix()
    values = matrix.to_numpy().copy()
    has_flag = table.hasTableMetaDataKey("inDegrees")
    labels = list(table.getColumnLabels())
    answer = {
        "table": _summary(labels, time, values, table.getTableMetaDataString("inDegrees") if has_flag else "")
    }
    storage = opensim.Storage(path)
    array_names = storage.getColumnLabels()
    names = [array_names.get(k) for k in range(array_names.getSize())][1:]
    times, columns = opensim.ArrayDouble(), []
    storage.getTimeColumn(times)
    for name in names:
        column = opensim.ArrayDouble()
        storage.getDataColumn(name, column)
        columns.append([column.get(k) for k in range(column.getSize())])
    stored_time = np.array([times.get(k) for k in range(times.getSize())])
    answer["storage"] = _summary(
        names, stored_time, np.array(columns).T, "yes" if storage.isInDegrees() else "no"
    )
    return answer


JOBS = (version, describe_model, scale, upgrade, read_storage)


def _vec3(vector) -> list[float]:
    return [vector.get(0), vector.get(1), vector.get(2)]


def _summary(labels: list[str], time: np.ndarray, values: np.ndarray, in_degrees: str) -> dict:
    return {
        "labels": labels,
        "rows": len(time),
        "time_range_s": [float(time[0]), float(time[-1])],
        "in_degrees": in_degrees,
        "max_abs": [float(value) for value in np.abs(values).max(axis=0)],
    }
