"""The private names of Lightning that compret uses are there, and nothing else in the package uses them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lightning.pytorch.cli import LightningCLI

from compret.cli import CompretCLI
from compret.compat_cli import PRIVATE

PACKAGE = Path(__file__).parents[1] / "compret"


def test_lightning_has_them() -> None:
    parsers = "_subcommand_parsers"
    assert not [name for name in PRIVATE if name != parsers and not hasattr(LightningCLI, name)]
    source = Path(LightningCLI.__init__.__code__.co_filename).read_text(encoding="utf-8")
    assert f"self.{parsers}" in source


@pytest.mark.parametrize("name", PRIVATE)
def test_one_file_uses_them(name: str) -> None:
    users = {path.name for path in PACKAGE.rglob("*.py") if re.search(rf"\.{name}\b", path.read_text(encoding="utf-8"))}
    assert users <= {"compat_cli.py"}


def test_each_hook_is_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A renamed hook would be passed over in silence."""
    called: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CompretCLI, "finish_parser", lambda self, parser, command: called.append(command))
    monkeypatch.setattr(CompretCLI, "parse_arguments", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        CompretCLI(args=["fit"], auto_configure_optimizers=False)
    assert set(called) == {"fit", "validate", "test", "predict"}
