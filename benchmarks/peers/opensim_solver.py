"""OpenSim's own `InverseDynamicsSolver` from Python, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.peers.case import Case
from benchmarks.peers.route import COMPARED, FORWARD, Seconds, UnavailableError, Work


class OpenSim:
    """The solver on the model file itself, with all forces switched off; asked over a pipe."""

    directions = (FORWARD,)
    dtypes = ("float64",)

    def __init__(self, case: Case) -> None:
        self._case = case
        self._folder = tempfile.TemporaryDirectory()
        states_file = Path(self._folder.name) / "states.npz"
        self._states = case.states(COMPARED)
        motion = {name: self._states[name] for name in ("q", "u", "udot")}
        np.savez(states_file, names=np.array(case.model.coordinate_names), **motion)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.opensim_process", str(case.file), str(states_file)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        first = self._answer()
        if "error" in first:
            self.close()
            raise UnavailableError(first["error"])
        self._tau = np.array(first["tau"])

    def work(self, direction: str, dtype: str, states: dict[str, np.ndarray]) -> Work:
        """Return a loop over at most 256 states: it takes as long for each of any batch."""
        evaluations = min(len(states["q"]), COMPARED)

        def run(calls: int) -> Seconds:
            print(calls * evaluations, file=self._process.stdin, flush=True)
            return Seconds(**self._answer())

        return Work(evaluations, run)

    def forces(self, states: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return tau (batch, n) without contact forces, if these are the states that OpenSim was given."""
        same = all(np.array_equal(states[name], self._states[name]) for name in ("q", "u", "udot"))
        return self._tau if same else None

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"error": "its process ended without an answer"}
