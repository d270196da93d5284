"""A trained network applied: to a whole recording, or frame by frame."""

from sspinn_opensim.estimation.inference.offline import Estimate, estimate
from sspinn_opensim.estimation.inference.streaming import FrameEstimate, StreamingEstimator
from sspinn_opensim.estimation.trained import Estimator
from sspinn_opensim.estimation.write import write_estimate

__all__ = ["Estimate", "Estimator", "FrameEstimate", "StreamingEstimator", "estimate", "write_estimate"]
