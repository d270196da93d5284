"""The built-in example from Python: all stages, then the trained network on a recording, in memory.

Run it with ``python examples/python_api.py [FOLDER]``; it takes as long as ``sspinn demo``.
"""

import logging
import sys
from pathlib import Path

import numpy as np

import sspinn_opensim as so


def main(study_file: Path, out: Path) -> None:
    """Run a study, and look at what came of it."""
    result = so.run(study_file, out)
    print(result)  # what `sspinn run` prints last
    print("written:", ", ".join(sorted(path.name for path in result.folder.iterdir() if path.is_file())))

    estimate = result.estimate  # motion and forces over time, radians and newtons
    knee = np.degrees(estimate.q[:, estimate.coordinates.index("knee_angle_r")])
    print(f"right knee: {knee.min():.1f} to {knee.max():.1f} degrees")
    for trial, scores in result.metrics["trials"].items():
        print(f"{trial}: joint angles within {scores['median']['angle_rmsd_deg']:.2f} degrees")

    # A finished training estimates further recordings of the person without writing files.
    recording = so.read_recording(study_file)
    again = so.Estimator.load(out).estimate(recording)
    print("the same numbers:", np.array_equal(again.q, estimate.q))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(__file__).with_name("demo.toml"), Path(sys.argv[1] if len(sys.argv) > 1 else "demo_results"))
