"""The process in which OpenSim runs: reads a request, runs one job, writes an answer.

Started by `sspinn_opensim.opensim_io.jobs.run_job` as ``python -m``; the only module that imports
``opensim``. It imports nothing of this project that loads CasADi, because the ``opensim`` package then
fails to find symbols in its own copy. Jobs take the ``opensim`` module and the request's arguments and
return JSON values. OpenSim objects stay in named variables: a child object read from a temporary
dangles once Python frees the temporary.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np

# OpenSim's own words for a frame it could not solve; a frame says both.
_FAILED_FRAME = re.compile(r"OPTIMIZATION FAILED")
_FAILED_TIME = re.compile(r"could not find a solution at time = (\S+?)\.?\s*$", re.MULTILINE)


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


def scale(opensim, model: str, output: str, name: str, mass_kg: float, factors: dict) -> dict:
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
    preserve_mass_distribution = True
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


def static_optimization(opensim, setup: str) -> dict:
    """Run an AnalyzeTool set-up file; return how many frames failed and when, from OpenSim's log.

    The tool returns True even when every frame failed, so the log is the only witness.
    """
    sink = opensim.StringLogSink()
    opensim.Logger.addSink(sink)
    tool = opensim.AnalyzeTool(setup)
    returned = bool(tool.run())
    log = sink.getString()
    opensim.Logger.removeSink(sink)
    times = [float(time) for time in _FAILED_TIME.findall(log)]
    return {
        "returned": returned,
        "failed_frames": max(len(times), len(_FAILED_FRAME.findall(log))),
        "failed_times_s": times,
    }


def inverse_dynamics(
    opensim,
    model: str,
    kinematics: str,
    output: str,
    from_s: float,
    to_s: float,
    external_loads: str = "",
    lowpass_hz: float = -1.0,
) -> dict:
    """Run InverseDynamicsTool from files; a negative `lowpass_hz` filters nothing."""
    tool = opensim.InverseDynamicsTool()
    tool.setModelFileName(model)
    tool.setCoordinatesFileName(kinematics)
    tool.setLowpassCutoffFrequency(lowpass_hz)
    tool.setStartTime(from_s)
    tool.setEndTime(to_s)
    tool.setResultsDir(str(Path(output).parent))
    tool.setOutputGenForceFileName(Path(output).name)
    excluded = opensim.ArrayStr()
    excluded.append("Muscles")
    tool.setExcludedForces(excluded)
    if external_loads:
        tool.setExternalLoadsFileName(external_loads)
    return {"returned": bool(tool.run())}


def model_answers(opensim, model: str, samples: int, seed: int, output: str) -> dict:
    """Save OpenSim's answers at random states of a model as an ``.npz`` at `output`."""
    from sspinn_opensim.opensim_io import worker_answers

    answers = worker_answers.model_answers(opensim, model, samples, seed)
    with open(output, "wb") as file:  # savez would append its own suffix to a bare name
        np.savez_compressed(file, **answers)
    return {"arrays": sorted(answers)}


def muscle_paths(opensim, model: str, muscles: dict, coordinates: list, postures: str, output: str) -> dict:
    """Save lengths and moment arms of muscles at the postures of an ``.npy`` file, as an ``.npz``."""
    from sspinn_opensim.opensim_io import worker_paths

    answers = worker_paths.path_samples(opensim, model, muscles, np.load(postures), coordinates)
    with open(output, "wb") as file:
        np.savez(file, **answers)
    return {"muscles": list(muscles)}


JOBS = {
    job.__name__: job
    for job in (
        version,
        describe_model,
        scale,
        upgrade,
        read_storage,
        static_optimization,
        inverse_dynamics,
        model_answers,
        muscle_paths,
    )
}


def main(request_file: str, answer_file: str) -> None:
    """Run the job of `request_file` and write ``{"values": ...}`` or ``{"error": ...}`` to `answer_file`."""
    _die_with_parent()
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    Path(answer_file).write_text(json.dumps(_answer(request)), encoding="utf-8")
    sys.stdout.flush()
    # Leave without OpenSim's destructors: some of them crash after the work is done.
    os._exit(0)


def _answer(request: dict) -> dict:
    try:
        import opensim
    except ImportError as error:
        return {"error": str(error), "not_installed": True}
    opensim.Logger.removeFileSink()  # no opensim.log in the user's folder
    if request["job"] not in JOBS:
        return {"error": f"no job '{request['job']}'; there are {', '.join(JOBS)}"}
    try:
        return {"values": JOBS[request["job"]](opensim, **request["arguments"])}
    except Exception as error:  # every error of OpenSim arrives as some exception; all are reported alike
        return {"error": f"{type(error).__name__}: {error}"}


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed and so cannot end it."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


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


if __name__ == "__main__":
    main(*sys.argv[1:])
