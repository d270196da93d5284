"""From IMU recordings to joint angles, moments, ground and muscle forces of OpenSim models, without labels.

Conventions: OpenSim's ground frame (x forward, y up, z right), SI units and radians inside, degrees only in
files, accelerometers report specific force ``R^T (a - g)``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sspinn_opensim")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
