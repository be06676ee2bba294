"""The door: `workbench VERB ...`. Verbs are loaded when used; an error is one line on standard error and an exit
status."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from workbench.commands import VERBS
from workbench.errors import WorkbenchError

INTERRUPTED_STATUS = 130


class _Verbs(click.Group):
    """A group whose commands are the modules of workbench.commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"workbench.commands.{cmd_name}"), cmd_name)
        return command


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="encoder-workbench")
def workbench() -> None:
    """Measure the encoder: where its time, memory and bytes go, on which clips, and how far more cores help.

    \b
    Exit status: 0 fine, 1 slower, 2 usage or bad input, 3 undecided, 4 outputs differ or do not decode,
    5 environment (missing clip, checksum, tool, full disk), 130 interrupted with partial results kept.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and exit with its status; never shows a traceback for an error that the user can act on."""
    try:
        words = sys.argv[1:] if arguments is None else arguments
        status = workbench.main(args=words, prog_name="workbench", standalone_mode=False, obj=words)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(error.exit_code)
    except WorkbenchError as error:
        _say(str(error))
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        sys.exit(INTERRUPTED_STATUS)
    except BrokenPipeError:
        # The reader of our output has gone: nothing is left to say, and the interpreter's own flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _say(message: str) -> None:
    print(f"workbench: {' '.join(message.split())}", file=sys.stderr)
