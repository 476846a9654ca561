"""`python -m wamr`, and the script `wamr`: the command line, which lives in `_cli`.

Nothing is imported but when the command line is used: `import wamr` stays as cheap as it is.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line with the process's arguments; the exit code."""
    try:
        from ._cli import command

        command.prepare_process()
        return command.main(sys.argv[1:])
    except KeyboardInterrupt:  # while importing, too
        return 130


if __name__ == "__main__":
    sys.exit(main())
