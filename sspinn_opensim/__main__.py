"""``python -m sspinn_opensim`` is the command ``sspinn``."""

import sys

from sspinn_opensim.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
