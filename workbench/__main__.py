"""Run the workbench: ``mbpo-workbench``, or ``python -m workbench``."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.command_line import options_or_exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; return its exit status."""
    options = options_or_exit(arguments)
    if options.serve:
        from workbench.serving.door import serve

        return serve(options)
    from workbench.app import show  # Textual, where there is a terminal for it

    return show(options)


if __name__ == "__main__":
    raise SystemExit(main())
