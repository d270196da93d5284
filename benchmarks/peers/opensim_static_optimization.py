"""The process in which OpenSim's static optimization is timed, and motions are found from markers.

Run as ``python -m benchmarks.peers.opensim_static_optimization analyze SETUP`` or ``... kinematics SETUP
MODEL MARKERS OUTPUT``. ``opensim`` and ``casadi`` cannot be imported by one process, so this one imports
nothing that loads CasADi. The last line it prints is JSON: ``{"cpu": s, "wall": s, "failed": frames}``,
without the import and without reading set-up and model.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def analyze(setup: str) -> dict:
    """Run a set-up of the AnalyzeTool."""
    import opensim

    opensim.Logger.removeFileSink()
    opensim.Logger.setLevelString("Info")
    sink = opensim.StringLogSink()
    opensim.Logger.addSink(sink)
    tool = opensim.AnalyzeTool(setup)
    cpu, wall = time.process_time(), time.perf_counter()
    tool.run()
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return seconds | {"failed": sink.getString().count("OPTIMIZATION FAILED")}


def kinematics(setup: str, model: str, markers: str, output: str) -> dict:
    """Run a set-up of the InverseKinematicsTool with another model, over all frames of the markers."""
    import opensim

    opensim.Logger.removeFileSink()
    tool, loaded = opensim.InverseKinematicsTool(setup, False), opensim.Model(model)
    data = opensim.MarkerData(markers)
    tool.setModel(loaded)
    tool.setMarkerDataFileName(markers)
    tool.setStartTime(data.getStartFrameTime())
    tool.setEndTime(data.getLastFrameTime())
    tool.setOutputMotionFileName(output)
    tool.set_results_directory(str(Path(output).parent))
    tool.run()
    return {}


if __name__ == "__main__":
    print(json.dumps({"analyze": analyze, "kinematics": kinematics}[sys.argv[1]](*sys.argv[2:])))
    sys.stdout.flush()
    os._exit(0)  # some of OpenSim's destructors crash after the work is done
