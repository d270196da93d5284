"""Estimates against references and baselines, as numbers.

The only room that reads reference measurements; nothing that trains or estimates imports it.
"""

from sspinn_opensim.evaluation.baseline import (
    SagittalJoint,
    constant_posture,
    sagittal_joints,
    segment_angle_baseline,
)
from sspinn_opensim.evaluation.curves import Curves, read_estimate
from sspinn_opensim.evaluation.data import EvaluationData, read_evaluation_data
from sspinn_opensim.evaluation.evaluate import evaluate, write_metrics
from sspinn_opensim.evaluation.metrics import error_numbers, evaluate_curves
from sspinn_opensim.evaluation.people import PersonTrial, summarize_people
from sspinn_opensim.evaluation.reference import Reference, read_reference

__all__ = [
    "Curves",
    "EvaluationData",
    "PersonTrial",
    "Reference",
    "SagittalJoint",
    "constant_posture",
    "error_numbers",
    "evaluate",
    "evaluate_curves",
    "read_estimate",
    "read_evaluation_data",
    "read_reference",
    "sagittal_joints",
    "segment_angle_baseline",
    "summarize_people",
    "write_metrics",
]
