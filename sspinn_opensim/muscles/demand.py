"""Required moments and the moment arms of muscles in each frame, by the compiled functions of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import casadi as ca
import numpy as np

import casadi_dynamics
from casadi_dynamics.compiled.numpy_function import compile_numpy
from casadi_dynamics.disk_cache import load_or_make, sources_hash
from casadi_dynamics.errors import InputError
from casadi_dynamics.model import Model
from casadi_dynamics.symbolic import build


@dataclass(frozen=True)
class Demand:
    """Generalized forces and lever arms of a trial of N frames.

    Attributes
    ----------
    tau : (N, r) ndarray
        What muscles and actuators together must give along the free coordinates; N m or N.
    arms : (N, r, m + k) ndarray
        Generalized forces of a tension of 1 N in each of m muscles, and of 1 N m or N along the coordinate of
        each of k actuators.
    length, speed : (N, m) ndarray
        Of the muscle-tendon units, m and m/s.
    """

    tau: np.ndarray
    arms: np.ndarray
    length: np.ndarray
    speed: np.ndarray


class DemandFunction:
    """The compiled function from the states of a trial to its `Demand`.

    Dependent coordinates follow their couplers, and what they take is passed on to the coordinates that drive
    them. Locked coordinates are held by the model, so nothing is demanded along them. What is built for a
    model is kept on disk.

    Parameters
    ----------
    model : Model
        Whose muscles and coordinates are meant.
    free : sequence of str
        Coordinates along which muscles and actuators must give what the motion takes.
    driven : sequence of str
        The coordinate of each actuator.
    loaded : sequence of str or None
        The body of each external load. None: joint moments are known otherwise. What the motion takes is then
        left out: `tau` is what springs, limits and bushings leave to muscles and actuators, and no
        acceleration is asked for.

    Raises
    ------
    InputError
        If the model holds constraints other than couplers.
    """

    def __init__(
        self,
        model: Model,
        free: Sequence[str],
        muscles: Sequence[str],
        driven: Sequence[str],
        loaded: Sequence[str] | None,
    ) -> None:
        chosen = (list(free), list(muscles), list(driven), None if loaded is None else list(loaded))
        ours = map(sources_hash, (Path(str(casadi_dynamics.__file__)).parent, Path(__file__).parent))
        key = json.dumps(["demand", model.content_hash, *chosen, *ours, version("casadi")])
        stored = json.loads(load_or_make(key, lambda: json.dumps(_built(model, *chosen)).encode()))
        self._parameters = np.array(stored["parameters"])
        self._function = compile_numpy(ca.Function.deserialize(stored["function"]))
        self._places = stored["places"]
        self._used, self._free = (np.array(x, int) for x in stored["arms"])
        self._shape = stored["shape"]

    def at(self, q: np.ndarray, qdot: np.ndarray) -> Demand:
        """Evaluate at N postures (N, n) and the rates of the coordinates, where joint moments are known."""
        found = self._function(q=q[:, self._places], u=qdot[:, self._places], parameters=self._parameters)
        return self._demand(found, len(q))

    def __call__(
        self, q: np.ndarray, u: np.ndarray, udot: np.ndarray, loads: dict[str, np.ndarray]
    ) -> Demand:
        """Evaluate at N states.

        Parameters
        ----------
        q, u, udot : (N, n) ndarray
            Along all coordinates of the model, in its order.
        loads : dict of str to (N, 3 l) ndarray
            ``force``, ``point`` and ``torque`` of each external load, in ground; SI units.
        """
        given = {"q": q[:, self._places], "u": u[:, self._places], "udot": udot[:, self._places]}
        if loads["force"].shape[1]:
            given |= loads
        return self._demand(self._function(**given, parameters=self._parameters), len(q))

    def _demand(self, found: dict[str, np.ndarray], samples: int) -> Demand:
        arms = np.zeros((samples, *self._shape))
        arms[:, self._free, self._used] = found["arms"]
        return Demand(found["tau"], arms, found["length"], found["speed"])


def _built(
    model: Model, free: list[str], muscles: list[str], driven: list[str], loaded: list[str] | None
) -> dict:
    """Return the function, serialized, with the parameters of the model and how `arms` are laid out.

    `arms` are row (free coordinate) and column (muscle or actuator) of each entry of the output of its name;
    `places` are the independent coordinates, and `shape` that of all arms.
    """
    functions = build(model)
    if functions.constraint_equations:
        raise InputError(
            "constraints between bodies cannot be solved for here",
            where=f"model '{model.name}'",
            expected="coupled coordinates at most",
            found=functions.constraint_equations[0],
            fix="let OpenSim solve, or remove the constraint",
        )
    places = [functions.coordinates.index(name) for name in functions.independent]
    symbols = {name: ca.SX.sym(name, len(places)) for name in ("q", "u", "udot")}
    parameters = ca.SX.sym("parameters", len(functions.parameters))
    states = symbols if loaded is not None else symbols | {"udot": ca.SX.zeros(len(places))}
    whole = functions.coupling(
        parameters=parameters, **{f"{name}_independent": value for name, value in states.items()}
    )
    rows = [functions.independent.index(name) for name in free]
    coupling, loads = whole["C"][:, rows], {}
    if loaded is None:
        # Of joints whose speeds are no rates of coordinates, rates are given.
        if any(joint.speeds != "rates" for joint in model.joints):
            whole["u"] = functions.speeds(q=whole["q"], qdot=whole["u"], qddot=0)["u"]
        tau = ca.SX.zeros(len(functions.coordinates))
        del symbols["udot"]
    else:
        if loaded:
            loads = {name: ca.SX.sym(name, 3 * len(loaded)) for name in ("force", "point", "torque")}
        tau = _call(functions.inverse_dynamics(loaded), whole, loads, parameters)["tau"]
    if functions.forces:
        tau -= _call(functions.passive_forces, whole, {}, parameters)["total"]
    paths = _call(functions.muscles(muscles), whole, {}, parameters)
    independent = [functions.coordinates.index(name) for name in free]
    pulls = coupling[[functions.coordinates.index(name) for name in driven], :]
    arms = ca.sparsify(ca.vertcat(paths["moment_arm"][:, independent], pulls))
    outputs = {
        "tau": coupling.T @ tau,
        "arms": ca.vertcat(*arms.nonzeros()),  # pyright: ignore[reportCallIssue, reportArgumentType]
        "length": paths["length"],
        "speed": paths["speed"],
    }
    inputs = symbols | loads | {"parameters": parameters}
    dense = [ca.densify(value) for value in outputs.values()]  # what recurs is found when it is compiled
    function = ca.Function("demand", list(inputs.values()), dense, list(inputs), list(outputs))
    # CasADi counts down the columns; here a row of `arms` (muscle or actuator) becomes a column.
    return {
        "function": function.serialize(),
        "parameters": functions.parameters.tolist(),
        "places": places,
        "arms": [list(x) for x in arms.sparsity().get_triplet()],
        "shape": [len(rows), arms.shape[0]],
    }


def _call(
    function: ca.Function, whole: Mapping[str, ca.SX], loads: Mapping[str, ca.SX], parameters: ca.SX
) -> dict[str, ca.SX]:
    given = {name: whole[name] for name in ("q", "u", "udot") if name in function.name_in()}
    return function(**given, **loads, parameters=parameters)
