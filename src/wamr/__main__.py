"""The entry point of `python -m wamr` and of the script `wamr`; the commands are in `_cli`.

The commands are imported only when the command line is used.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line with the process's arguments; return the exit code."""
    try:
        from ._cli import command

        command.prepare_process()
        return command.main(sys.argv[1:])
    except KeyboardInterrupt:  # also during the imports
        return 130


if __name__ == "__main__":
    sys.exit(main())
