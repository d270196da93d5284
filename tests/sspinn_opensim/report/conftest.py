"""The motion and the results folder of the evaluation's tests: a report shows what was scored."""

import runpy
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "conftest.py")))
