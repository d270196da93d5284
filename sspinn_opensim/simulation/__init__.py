"""Virtual recordings: what IMUs on a model would have measured in a given motion.

`demo` holds the walk by optimal control that the built-in recording was made of, and the script that writes
it anew: ``python -m sspinn_opensim.simulation.demo.write``. The rooms of training and estimation never look
in here: what is simulated reaches them as files.
"""

from sspinn_opensim.simulation.motion import SplineMotion, read_motion
from sspinn_opensim.simulation.virtual import VirtualRecording, record

__all__ = ["SplineMotion", "VirtualRecording", "read_motion", "record"]
