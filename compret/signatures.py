"""What a class takes, read from its source: names, defaults and meanings of its options, with nothing imported.

So a help page and a misspelt option are answered before torch is there. A test holds it to what jsonargparse finds.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

ROOMS = ("compret.tasks", "compret.data", "compret.losses", "compret.nn.verifiers")
"""Packages whose classes are known by their bare name, as jsonargparse knows them."""


@dataclass(frozen=True)
class Option:
    """One argument of a class."""

    name: str
    module: str
    """Where its type is named."""
    type: str
    """As the source has it."""
    default: str
    """As the source has it; empty where it must be given."""
    help: str

    @property
    def takes_none(self) -> bool:
        """As far as the source says; jsonargparse itself lets None pass for anything."""
        return not self.type or bool(re.search(r"\b(None|Any|Optional)\b", self.type))


@dataclass(frozen=True)
class Signature:
    """A class and its options, in order."""

    path: str
    """Where it is defined, as a dotted path."""
    purpose: str
    """The first sentence of its docstring."""
    options: tuple[Option, ...]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    def __getitem__(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)

    def class_of(self, option: Option) -> Signature | None:
        """The one class that an option takes, such as AdamW; None for plain values, and where several would do."""
        named = [name for name in option.type.split(" | ") if name != "None"]
        if len(named) != 1 or not named[0].isidentifier():
            return None
        found = _resolved(option.module, named[0])
        return found if found is not None and found.options else None


def signature(path: str) -> Signature | None:
    """The class of a dotted path, or of a bare name among ROOMS; None where its source is not found or not plain."""
    if "." in path:
        return _resolved(*path.rpartition(".")[::2])
    return next((found for room in ROOMS if path in shipped(room) and (found := _resolved(room, path))), None)


def given_classes(tree: Mapping[str, Any], default: str) -> dict[str, Any]:
    """The model's class and those of its parts, such as the loss, that are given: without the options of any of them.

    As the parser's defaults they keep what another class has as its defaults out: a temperature of cosines is none of
    logits.

    Args:
        tree: configs and what is typed, options of a class beside its `class_path`.
        default: the model's class where none is given.
    """
    model = tree.get("model")
    known = signature(str(model.get("class_path", default))) if isinstance(model, Mapping) else None
    if known is None or not isinstance(model, Mapping):
        return {}
    named = {name: signature(_class_path(value) or "") for name, value in model.items() if _is_class(known[name])}
    init_args = {name: {"class_path": found.path} for name, found in named.items() if found}
    return {"model": {"class_path": known.path, "init_args": init_args}}


def _is_class(option: Option | None) -> bool:
    """Whether an option takes classes of several kinds, which a name chooses."""
    named = [name for name in option.type.split(" | ") if name != "None"] if option else []
    return len(named) == 1 and named[0] in ("Loss", "Verifier")


def _class_path(value: Any) -> str | None:
    path = value.get("class_path") if isinstance(value, Mapping) else value
    return path if isinstance(path, str) else None


@cache
def shipped(room: str) -> tuple[str, ...]:
    """The classes that a package gives, in order."""
    tree = _module(room)
    inside = (node for node in _imports(tree) if (node.module or "").split(".")[0] == room.split(".")[0])
    names = (alias.asname or alias.name for node in inside for alias in node.names)
    return tuple(name for name in names if name[0].isupper())


def _resolved(module: str, name: str) -> Signature | None:
    """A class by the module that defines or imports it."""
    tree = _module(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _read(module, node)
    for imported in _imports(tree):
        for alias in imported.names:
            if (alias.asname or alias.name) == name and imported.module:
                return _resolved(imported.module, alias.name)
    return None


@cache
def _module(module: str) -> ast.Module | None:
    """The syntax tree of a module, found below its top package, which is not imported for that."""
    top, *rest = module.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for folder in (found.submodule_search_locations or ()) if found else ():
        base = Path(folder).joinpath(*rest)
        file = next((f for f in (base / "__init__.py", base.with_suffix(".py")) if f.is_file()), None)
        if file is not None:
            return ast.parse(file.read_text(encoding="utf-8"))
    return None


def _imports(tree: ast.Module | None) -> list[ast.ImportFrom]:
    """At the top of a module, and below `if TYPE_CHECKING`."""
    nodes = tree.body if tree else []
    nested = (below for node in nodes if isinstance(node, ast.If) for below in node.body)
    return [node for node in chain(nodes, nested) if isinstance(node, ast.ImportFrom)]


def _read(module: str, node: ast.ClassDef) -> Signature | None:
    """Arguments of `__init__`, else a dataclass' fields, else those of the base class."""
    documented = inspect.cleandoc(ast.get_docstring(node) or "")
    init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    if init is not None:
        helps = _arguments(documented) | _arguments(ast.get_docstring(init) or "")
        own, further = tuple(_parameters(module, init.args, helps)), _passed_on(module, init)
        if further is None:
            return None
        names = {option.name for option in own}
        options = (*own, *(option for option in further if option.name not in names))
    elif any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        options = tuple(_fields(module, node.body))
    else:
        bases = [found for base in node.bases if (found := _resolved(module, ast.unparse(base)))]
        options = bases[0].options if bases else ()
    purpose = " ".join(documented.split("\n\n")[0].split())
    return Signature(f"{module}.{node.name}", purpose, options)


def _passed_on(module: str, init: ast.FunctionDef) -> tuple[Option, ...] | None:
    """Those that `**options` takes: of the class that it is handed to; None where that is not plain to see."""
    if init.args.kwarg is None:
        return ()
    for call in (node for node in ast.walk(init) if isinstance(node, ast.Call)):
        if any(word.arg is None and ast.unparse(word.value) == init.args.kwarg.arg for word in call.keywords):
            found = _resolved(module, ast.unparse(call.func))
            return found.options if found else None
    return None


def _parameters(module: str, arguments: ast.arguments, helps: dict[str, str]) -> Iterator[Option]:
    plain = [*arguments.posonlyargs, *arguments.args][1:]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    pairs = [*zip(plain, [*defaults, *arguments.defaults][-len(plain) :], strict=False)] if plain else []
    for argument, default in [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
        shown = _text(_constant(module, default))
        yield Option(argument.arg, module, _text(argument.annotation), shown, helps.get(argument.arg, ""))


def _constant(module: str, default: ast.expr | None) -> ast.expr | None:
    """What a name stands for that a module assigns or imports; any other default as it is."""
    tree = _module(module)
    if not isinstance(default, ast.Name) or tree is None:
        return default
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == default.id:
            return node.value
    for imported in _imports(tree):
        if imported.module and any((alias.asname or alias.name) == default.id for alias in imported.names):
            return _constant(imported.module, default)
    return default


def _fields(module: str, body: Sequence[ast.stmt]) -> Iterator[Option]:
    """Annotated fields; the string below one says what it is."""
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            below = body[place + 1] if place + 1 < len(body) else None
            is_help = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            told = inspect.cleandoc(str(below.value.value)) if is_help else ""  # type: ignore[union-attr]
            default = _text(_constant(module, node.value))
            yield Option(node.target.id, module, _text(node.annotation), default, " ".join(told.split()))


def _text(node: ast.expr | None) -> str:
    if node is None:
        return ""
    text = ast.unparse(node)
    return text[len("Optional[") : -1] + " | None" if text.startswith("Optional[") else text


def _arguments(documented: str) -> dict[str, str]:
    """Name -> meaning, of a docstring's part `Args:`."""
    lines = inspect.cleandoc(documented).splitlines()
    begun = lines.index("Args:") + 1 if "Args:" in lines else len(lines)
    found: dict[str, list[str]] = {}
    told: list[str] = []
    indent = next((len(line) - len(line.lstrip()) for line in lines[begun:] if line.strip()), 0)
    for line in lines[begun:]:
        if line.strip() and not line.startswith(" "):
            break
        name, colon, rest = line.strip().partition(":")
        if colon and name.isidentifier() and len(line) - len(line.lstrip()) == indent:
            told = found.setdefault(name, [])
            line = rest
        told.append(line.strip())
    return {name: " ".join(" ".join(parts).split()) for name, parts in found.items()}
