"""OpenSim's tables of orientations: quaternions over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sspinn_opensim.files import write_atomically


def write_orientations(path: Path, names: Sequence[str], time_s: np.ndarray, quaternions: np.ndarray) -> Path:
    """Write orientations as OpenSim's OpenSense reads them.

    Parameters
    ----------
    names : sequence of k str
        Frames of a model; OpenSim's IMU placer puts ``pelvis_imu`` on the body ``pelvis``.
    time_s : (n,) array
        s.
    quaternions : (n, k, 4) array
        w, x, y, z.
    """
    rate_hz = (len(time_s) - 1) / (time_s[-1] - time_s[0]) if len(time_s) > 1 else 1.0
    head = [
        f"DataRate={rate_hz:.6f}",
        "DataType=Quaternion",
        "version=3",
        "OpenSimVersion=4.6",
        "endheader",
        "\t".join(("time", *names)),
    ]
    rows = (
        "\t".join((repr(float(at_s)), *(",".join(repr(float(x)) for x in one) for one in row)))
        for at_s, row in zip(time_s, quaternions, strict=True)
    )
    write_atomically(path, "\n".join((*head, *rows)) + "\n")
    return path
