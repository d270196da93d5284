"""JSON files of a results folder that later verbs read: what each must hold, whoever has had it in hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sspinn_opensim.files import read_json
from sspinn_opensim.results.folder import ResultsFolder

_NUMBER = (float, None)
_SCALING = {
    "height_m?": _NUMBER,
    "mass_kg?": _NUMBER,
    "generic_height_m?": _NUMBER,
    "generic_mass_kg?": _NUMBER,
    "factors?": {str: [float]},
    "body_mass_kg?": {str: [float]},
    "held_coordinates?": {
        "estimate": (str, [str]),
        "fixed": {str: float},
        "bodies": [str],
        "model": str,
        "held": {str: float},
    },
}
_PEAKS = {str: {"peak": float, "percent": _NUMBER}}
_VERDICT = {
    "ok": bool,
    "frames?": int,
    "failed_frames?": int,
    "method?": str,
    "worst_reserve_percent?": _NUMBER,
    "muscles?": {str: {"peak_force_n": float, "peak_activation": float, "saturated_frames": int}},
    "reserves?": _PEAKS,
    "residuals?": _PEAKS,
    "failures?": [str],
    "warnings?": [str],
}
_SPAN = {"from_s": float, "to_s": float}
_GAIT = {
    "cadence_steps_per_min": _NUMBER,
    "both": {str: _NUMBER},
    "right": {str: _NUMBER},
    "left": {str: _NUMBER},
    "symmetry_index_percent": {str: _NUMBER},
}
_SPATIOTEMPORAL = {
    "walking?": _GAIT,
    "running?": _GAIT,
    "left_out": {str: int},
    "phases": [{"kind": str, **_SPAN, "cadence_steps_per_min": _NUMBER}],
    "uncovered": [{"reason": str, **_SPAN}],
}
_FIT = {
    "ok": bool,
    "failures": [str],
    "warnings": [str],
    "advice?": str,
    "seeds": {
        str: {
            "planar": bool,
            "windows": int,
            "intensity_m_s2": float,
            "terms": {str: float},
            "sensors": [
                {
                    "sensor": str,
                    "body": str,
                    "acceleration_m_s2": _NUMBER,
                    "angular_rate_rad_s": _NUMBER,
                    "acceleration_share": _NUMBER,
                    "angular_rate_share": _NUMBER,
                    "turned_deg": float,
                    "moved_m": float,
                    "delay_s": float,
                }
            ],
            "beyond_limits_deg": {str: float},
            "mean_angles_deg": {str: float},
            "speed_share": _NUMBER,
        }
    },
}
_CONSISTENCY = {
    "filter_hz": float,
    "residuals": {
        str: {
            "unit": str,
            "before": float,
            "after": float,
            "after_filtered": float,
            "before_percent": float,
            "after_percent": float,
            "after_filtered_percent": float,
        }
    },
    "moved": {
        str: {
            "unit": str,
            "rms": float,
            "largest": float,
            "rms_deviations": float,
            "largest_deviations": float,
        }
    },
}
_ARM = {"belongs_to": str, "seeds": [int], "failure": str}


def read_scaling_report(folder: ResultsFolder) -> dict[str, Any]:
    """Return what scaling did; empty where nothing was scaled.

    Raises
    ------
    InputError
        The file is damaged.
    """
    return _read(folder.scaling, _SCALING, "run sspinn scale again")


def read_verdict(folder: ResultsFolder) -> dict[str, Any]:
    """Return the verdict on muscle forces, as `read_scaling_report`."""
    return _read(folder.static_optimization_verdict, _VERDICT, "run sspinn muscles again")


def read_spatiotemporal(folder: ResultsFolder) -> dict[str, Any]:
    """Return the spatiotemporal values of an estimate, as `read_scaling_report`."""
    return _read(folder.spatiotemporal, _SPATIOTEMPORAL, "run sspinn estimate again")


def read_fit(folder: ResultsFolder) -> dict[str, Any]:
    """Return the verdict on a training, as `read_scaling_report`."""
    return _read(folder.fit, _FIT, "run sspinn estimate again")


def read_consistency(folder: ResultsFolder) -> dict[str, Any]:
    """Return what made motion and ground forces agree, as `read_scaling_report`."""
    return _read(folder.consistency, _CONSISTENCY, "run sspinn estimate again")


def read_arm(folder: ResultsFolder) -> dict[str, Any]:
    """Return what an arm of an ablation was trained from, as `read_scaling_report`."""
    return _read(folder.arm, _ARM, "repeat with --restart")


def _read(file: Path, shape: dict, fix: str) -> dict[str, Any]:
    return read_json(file, shape, fix) if file.is_file() else {}
