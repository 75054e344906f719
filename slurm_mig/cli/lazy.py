"""Groups whose commands are imported when they run: start-up time is everybody's."""

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click

# command -> (module, one line of help). The line stands there so that `--help` loads no command.
Table = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """The commands of `table`; each is `command` in its module of the package `package`.

    `unlisted` are those that people do not type: command -> module.
    """

    package: ClassVar[str]
    table: ClassVar[Table]
    unlisted: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.table[cmd_name][0] if cmd_name in self.table else self.unlisted.get(cmd_name)
        if name is None:
            return None
        module = importlib.import_module(f"{self.package}.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, line) for name, (_, line) in self.table.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
