"""The command line: ``engine`` and ``python -m engine``."""

from __future__ import annotations

import sys

from engine.errors import EngineError, MissingExtra


def main() -> None:
    """Run the command that was typed. What the user can put right is one sentence, and exit status 2."""
    try:
        try:
            import typer  # noqa: F401
        except ImportError:
            raise MissingExtra("typer", "server") from None
        from engine.cli import app

        app()
    except EngineError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
