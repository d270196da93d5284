"""Start of the command ``sspinn``, which is also ``python -m sspinn_opensim``."""

import signal
import sys


def main() -> int:
    """Run the command; return its exit status."""
    # Until the command hears it, Ctrl-C ends the process as `kill` does, and not with a traceback of imports.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sspinn_opensim.cli.command import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
