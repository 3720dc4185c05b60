"""LightningCLI under public names: the only file that touches what Lightning calls private of it."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

PRIVATE = ("_prepare_subcommand_parser", "_subcommand_parsers", "_get", "_parser", "_parse_ckpt_path")
"""What this file uses; a test fails when Lightning renames one."""


class OpenCLI(LightningCLI):
    """LightningCLI with places to set in where it has none, and without its own way to read a checkpoint's options."""

    def finish_parser(self, parser: LightningArgumentParser, command: str) -> None:
        """Called with the parser of each command when it is complete."""

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        self.finish_parser(parser, subcommand)
        return parser

    def _parse_ckpt_path(self) -> None:
        """Lightning's own rule, by which a checkpoint overrides the user, has no say."""

    def set_defaults(self, command: str, defaults: dict[str, Any]) -> None:
        """Set what options of a command are where nobody names them."""
        self._subcommand_parsers[command].set_defaults(defaults)

    def option(self, name: str) -> Any:
        """An option of the command that runs, as it was parsed."""
        return self._get(self.config, name)

    def built(self, name: str) -> Any:
        """The same with its classes built."""
        return self._get(self.config_init, name)

    def resolved(self) -> str:
        """All options of the command that runs, as YAML."""
        text: str = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_none=False)
        return text
