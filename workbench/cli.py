"""The door: `workbench VERB ...`. Verbs are loaded when used; an error is one line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from workbench.commands import VERBS
from workbench.errors import InputError, WorkbenchError

INTERRUPTED_STATUS = 130


class Verbs(click.Group):
    """A group whose commands are the modules of workbench.commands, and whose errors never show a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which a user meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import the verb's module. Raises InputError for a word that is no verb."""
        if cmd_name not in VERBS:
            raise InputError(f"{cmd_name!r} is no verb; verbs are: {', '.join(VERBS)}; see: workbench --help")
        command: click.Command = getattr(import_module(f"workbench.commands.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; that the reader of our output has gone is no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # Nothing is left to say, and the interpreter's own flush at its end must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def main(self, args: Sequence[str] | None = None, *ignored: Any, **settings: Any) -> NoReturn:
        """Run a command line and exit with its status; what a user can act on is one line on standard error."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            status = super().main(words, prog_name="workbench", standalone_mode=False, obj=words)
            sys.exit(status if isinstance(status, int) else 0)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _say(error.format_message())
            sys.exit(error.exit_code)
        except WorkbenchError as error:
            _say(str(error))
            sys.exit(error.exit_status)
        except (KeyboardInterrupt, click.Abort):
            _say("interrupted")
            sys.exit(INTERRUPTED_STATUS)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="encoder-workbench")
def main() -> None:
    """Measure the encoder: where its time, memory and bytes go, on which clips, and how far more cores help.

    \b
    Exit status: 0 fine, 1 slower, 2 usage or bad input, 3 undecided, 4 outputs differ or do not decode,
    5 environment (missing clip, checksum, tool, full disk), 130 interrupted with partial results kept.
    """


def _say(message: str) -> None:
    print(f"workbench: {' '.join(message.split())}", file=sys.stderr)
