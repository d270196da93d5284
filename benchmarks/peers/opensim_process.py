"""The process in which OpenSim's solver is timed.

Run as ``python -m benchmarks.peers.opensim_process MODEL STATES``. ``opensim`` and ``casadi`` cannot be
imported by one process, so this one imports nothing that loads CasADi. STATES is an ``.npz`` with `names`
(n), `q`, `u` and `udot` (batch, n). The answers are lines of JSON: first ``{"tau": [[...]]}`` of all
states or ``{"error": ...}``, then for each line with a number of evaluations ``{"cpu": s, "wall": s}``.
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np


def main(model_file: str, states_file: str) -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what OpenSim prints is no answer
    try:
        solve, rows = _prepare(model_file, np.load(states_file))
        first = {"tau": [solve(row).tolist() for row in rows]}
    except ImportError:
        first = {"error": 'not installed: python -m pip install "opensim==4.6"'}
    except RuntimeError as error:
        first = {"error": str(error).splitlines()[0]}
    print(json.dumps(first), file=answers, flush=True)
    for line in sys.stdin if "tau" in first else ():
        chosen = [rows[k % len(rows)] for k in range(int(line))]
        cpu, wall = time.process_time(), time.perf_counter()
        for row in chosen:
            solve(row)
        seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(seconds), file=answers, flush=True)
    answers.flush()
    os._exit(0)  # some of OpenSim's destructors crash after the work is done


def _prepare(model_file: str, states):
    """Return a function of (q, u, udot) that gives tau in the order of `names`, and the rows to give it."""
    import opensim

    opensim.Logger.setLevelString("Off")
    opensim.Logger.removeFileSink()
    model = opensim.Model(model_file)
    for component in model.getComponentsList():
        force = opensim.Force.safeDownCast(component)
        if force is not None:
            force.set_appliesForce(False)
        coordinate = opensim.Coordinate.safeDownCast(component)
        if coordinate is not None:
            coordinate.set_locked(False)
    state = model.initSystem()
    place = _places(model, state, [str(name) for name in states["names"]])
    solver, vector = opensim.InverseDynamicsSolver(model), opensim.Vector.createFromMat
    rows = []
    for row in zip(states["q"], states["u"], states["udot"], strict=True):
        ordered = np.zeros((3, len(place)))
        ordered[:, place] = row
        rows.append(tuple(map(np.ascontiguousarray, ordered)))

    def solve(row):
        q, u, udot = row
        state.setQ(vector(q))
        state.setU(vector(u))
        model.realizeDynamics(state)
        return solver.solve(state, vector(udot)).to_numpy()[place]

    return solve, rows


def _places(model, state, names: list[str]) -> list[int]:
    """Return where each coordinate stands among the speeds, whose order is that of the tree."""
    coordinates = model.getCoordinateSet()
    if state.getNQ() != len(names) or state.getNU() != len(names):
        raise RuntimeError("the model has coordinates whose rates are not speeds")
    for number, name in enumerate(names):
        coordinates.get(name).setSpeedValue(state, number + 1.0)
    speeds = state.getU().to_numpy().tolist()
    return [speeds.index(number + 1.0) for number in range(len(names))]


if __name__ == "__main__":
    main(*sys.argv[1:])
