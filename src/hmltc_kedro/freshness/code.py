"""Identity of code: the syntax trees of a function and of the project's code that it reaches.

Statically, from the source files: names are followed through imports, also those inside functions, to functions,
classes and constants of the same package. Comments, docstrings and layout do not count. Of a class without bases from
elsewhere only the methods count whose names the reached code mentions, so that a change of one method concerns those
who call it; any other class counts as a whole, because a framework may call what nobody mentions. What is called by a
name made at run time is not seen.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLAIN_DECORATORS = {"cache", "cached_property", "classmethod", "contextmanager", "property", "staticmethod"} | {
    "only_if_made",  # of datasets.previews
}
"""Decorators under which a method is called by its name; one under another may be called by whoever decorated it."""

Dotted = tuple[str, ...]
Place = tuple[str, str]
"""A module, and the name of what is defined at its top level: a function, constant, class or `Class.method`."""


def identify_code(function: Callable[..., Any], *methods: tuple[type, str]) -> dict[str, str]:
    """Return a digest for each piece of code that `function` and the methods reach, by `module:name`.

    Args:
        function: of any package whose sources can be read.
        methods: (class, name of a method) pairs; code of other packages than the function's is left out.
    """
    function, bound = _unwrap(function)
    package = _open_package(function.__module__.partition(".")[0])
    # Of a function within a function the outer one is a place, of a method it and its class.
    name = function.__qualname__.partition(".<locals>")[0]
    code = package.reach([(function.__module__, name.partition(".")[0]), (function.__module__, name)])
    for owner, called in methods:
        method = getattr(owner, called)  # of the class or a base; decorators keep the name it was defined by
        classes = [(base.__module__, base.__qualname__) for base in owner.__mro__]
        code |= package.reach([classes[0], (method.__module__, method.__qualname__)], classes)
    return {**dict(sorted(code.items())), **bound}


def explain_code(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names of what differs; code that only moved to another module does not."""
    gone = {(key.rpartition(":")[2], digest) for key, digest in old.items() if new.get(key) != digest}
    come = {(key.rpartition(":")[2], digest) for key, digest in new.items() if old.get(key) != digest}
    return sorted({name for name, _ in gone ^ come})


def _unwrap(function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, str]]:
    """Return the function below partials and wrappers, and what is bound to it: arguments and plain closure values."""
    bound: list[object] = []
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        if isinstance(function, functools.partial):
            bound.append((function.args, sorted(function.keywords.items())))
        function = function.func if isinstance(function, functools.partial) else function.__wrapped__
    if not hasattr(function, "__qualname__"):
        function = type(function)
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    bound += [value for value in cells if isinstance(value, str | int | float | tuple | None)]
    return function, {":bound arguments": _hash(repr(bound))} if bound else {}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


# ---------------------------------------------------------------------- source files


def _find_source(package: str) -> Path | None:
    """Return a package's folder, or its file where it is a single module."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module that was not imported the usual way
        spec = None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    file = spec.origin if spec is not None else getattr(sys.modules.get(package), "__file__", None)
    return Path(file) if file and Path(file).is_file() else None


class _WithoutDocstrings(ast.NodeTransformer):
    """Takes texts that stand alone out of a syntax tree."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:  # noqa: N802 (the name is ast's)
        """Leave out the statement if it is a text."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


class _Module:
    """What stands at the top level of one source file.

    Attributes:
        definitions: the statements that define each name; a method has its own, `Class.method`, and its class has none.
        imports: what names are bound to by imports, as (module, name in it or empty).
        folders: data beside the file, by name: folders without Python in them.
    """

    def __init__(self, name: str, path: Path) -> None:
        # Relative imports of a package's own file start at the package.
        self.name = f"{name}.__init__" if path.name == "__init__.py" else name
        self.definitions: dict[str, list[ast.stmt]] = defaultdict(list)
        self.imports: dict[str, Place] = {}
        self._collect(_WithoutDocstrings().visit(ast.parse(path.read_bytes())).body)
        folders = [folder for folder in path.parent.iterdir() if folder.is_dir() and not any(folder.rglob("*.py"))]
        self.folders = {folder.name: folder for folder in folders}

    def _collect(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports |= _read_import(node, self.name)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.definitions[node.name].append(node)
            elif isinstance(node, ast.ClassDef):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
                for item in methods:
                    self.definitions[f"{node.name}.{item.name}"].append(item)
                node.body = [item for item in node.body if item not in methods]
                self.definitions[node.name].append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in (item for target in targets for item in ast.walk(target)):
                    if isinstance(name, ast.Name):
                        self.definitions[name.id].append(node)
            elif isinstance(node, ast.If | ast.Try | ast.With):
                handlers = [handler.body for handler in getattr(node, "handlers", [])]
                for inner in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", []), *handlers):
                    self._collect(inner)


def _read_import(node: ast.Import | ast.ImportFrom, module: str) -> dict[str, Place]:
    """Return what an import statement of a module binds: names, each to (module, name in it or empty)."""
    if isinstance(node, ast.ImportFrom):
        above = module.split(".")[: -node.level] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        return {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    tops = {alias.name: alias.name.partition(".")[0] for alias in node.names}  # `import a.b` binds `a`
    return {a.asname or tops[a.name]: (a.name if a.asname else tops[a.name], "") for a in node.names}


@dataclass(frozen=True)
class _Unit:
    """A piece of code: a function, a method, a constant, or a class without its methods.

    Attributes:
        digest: of its syntax tree.
        targets: the definitions of its package whose names it reads.
        attributes: all names behind a dot.
        strings: all string constants.
        methods: of a class, and of each whether it may be called without being mentioned.
    """

    digest: str
    targets: set[Place]
    attributes: set[str]
    strings: set[str]
    methods: dict[str, bool]


class _Package:
    """The source files of one package, read when they are reached."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._root = _find_source(name)
        self._modules: dict[str, _Module | None] = {}
        self._units: dict[Place, _Unit] = {}

    def reach(self, start: Iterable[Place], by_mention: Collection[Place] = ()) -> dict[str, str]:
        """Return the digests of all code and data reached from `start`, by `module:name`.

        Args:
            start: places; what is not in this package is left out.
            by_mention: classes of which only the methods count that are mentioned, whatever they descend from.
        """
        queue, reached = list(start), dict[str, str]()
        attributes, strings = set[str](), defaultdict[str, set[str]](set)
        waiting: dict[str, list[Place]] = defaultdict(list)  # methods by their names, until these are mentioned
        while queue:
            place = module, name = queue.pop()
            unit = self._read_unit(place)
            if unit is None or f"{module}:{name}" in reached:
                continue
            reached[f"{module}:{name}"] = unit.digest
            queue += unit.targets
            for mentioned in unit.attributes - attributes:
                queue += waiting.pop(mentioned, [])
            attributes |= unit.attributes
            strings[module] |= unit.strings
            whole = bool(unit.methods) and place not in by_mention and self._descends_from_others(place)
            for method, is_called in unit.methods.items():
                counts = whole or is_called or method in attributes
                (queue if counts else waiting[method]).append((module, f"{name}.{method}"))
        return reached | self._read_data(strings)

    def _read_data(self, strings: Mapping[str, set[str]]) -> dict[str, str]:
        """Return the digests of the data files that go with reached code, by `module:file`.

        A folder beside a module counts if the module's code mentions it. Of its files those count whose names, with or
        without the ending, are mentioned anywhere (a prompt by its task), and those that these mention (a page its
        macros); all of them if none is.

        Args:
            strings: constants in the reached code, by module.
        """
        mentioned, digests = set[str]().union(*strings.values()), {}
        for name in strings:
            module = self._read_module(name)
            folders = module.folders if module is not None else {}
            for folder in strings[name] & folders.keys():
                texts = {file: file.read_bytes() for file in sorted(folders[folder].rglob("*")) if file.is_file()}
                chosen = [file for file in texts if {file.name, file.stem} & mentioned]
                for file in chosen:  # it grows meanwhile
                    chosen += [f for f in texts if f not in chosen and f.name.encode() in texts[file]]
                for file in chosen or texts:
                    digests[f"{name}:{file.name}"] = hashlib.sha256(texts[file]).hexdigest()[:16]
        return digests

    def _read_module(self, name: str) -> _Module | None:
        """Return a module of this package; None for a name that is none, or a file that is no Python."""
        if name not in self._modules:
            path = self._find_module(name)
            try:
                self._modules[name] = _Module(name, path) if path is not None else None
            except (SyntaxError, ValueError):
                self._modules[name] = None
        return self._modules[name]

    def _find_module(self, name: str) -> Path | None:
        top, *parts = name.split(".")
        if self._root is None or top != self._name:
            return None
        if self._root.is_file():
            return None if parts else self._root
        base = self._root.joinpath(*parts)
        paths = [base / "__init__.py", *([base.with_suffix(".py")] if parts else [])]
        return next((path for path in paths if path.is_file()), None)

    def _read_unit(self, place: Place) -> _Unit | None:
        """Return a definition as a unit; None if there is none."""
        module = self._read_module(place[0])
        if place not in self._units and module is not None and place[1] in module.definitions:
            self._units[place] = self._scan(module, *place)
        return self._units.get(place)

    def _scan(self, module: _Module, home: str, name: str) -> _Unit:
        top = module.definitions[name]
        nodes = [node for statement in top for node in ast.walk(statement)]
        statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        imports = {k: place for node in statements for k, place in _read_import(node, module.name).items()}
        # A function's arguments hide what the module calls the same.
        arguments = [node.args for node in top if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        hidden = {item.arg for some in arguments for item in ast.walk(some) if isinstance(item, ast.arg)}
        names = {dotted for node in nodes if (dotted := _join_dotted(node)) and dotted[0] not in hidden}
        targets = {self._resolve(home, dotted, imports) for dotted in names}
        methods = {key.removeprefix(f"{name}."): key for key in module.definitions if key.startswith(f"{name}.")}
        return _Unit(
            digest=_hash("\n".join(map(ast.unparse, top))),
            targets={target for target in targets if target is not None},
            attributes={node.attr for node in nodes if isinstance(node, ast.Attribute)},
            strings={n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)},
            methods={method: _is_called_by_others(method, module.definitions[key]) for method, key in methods.items()},
        )

    def _resolve(self, module: str, dotted: Dotted, imports: Mapping[str, Place], depth: int = 0) -> Place | None:
        """Return the definition that a dotted name in a module stands for; None if it is not of this package.

        Args:
            module: where the name is read.
            dotted: the name.
            imports: those of the function that reads it; they come before what the module defines.
            depth: steps so far; imports may go in circles.
        """
        found = self._read_module(module)
        if found is None or not dotted or depth > 20:
            return None
        name, rest = dotted[0], dotted[1:]
        if name in found.definitions and name not in imports:
            return module, name
        source, attribute = imports.get(name) or found.imports.get(name) or (f"{module}.{name}", "")
        return self._resolve(source, (attribute, *rest) if attribute else rest, {}, depth + 1)

    def _descends_from_others(self, place: Place) -> bool:
        """Tell whether a class has a base or a metaclass from elsewhere, itself or through its bases."""
        module = self._read_module(place[0])
        classes = [n for n in module.definitions[place[1]] if isinstance(n, ast.ClassDef)] if module is not None else []
        bases = [self._resolve(place[0], _join_dotted(base), {}) for node in classes for base in node.bases]
        return any(node.keywords for node in classes) or any(
            base is None or self._descends_from_others(base) for base in bases
        )


@functools.cache
def _open_package(name: str) -> _Package:
    return _Package(name)


def _join_dotted(node: ast.AST) -> Dotted:
    """Return the names of `a.b.c`; empty for any other expression."""
    names: Dotted = ()
    while isinstance(node, ast.Attribute):
        names, node = (node.attr, *names), node.value
    return (node.id, *names) if isinstance(node, ast.Name) else ()


def _is_called_by_others(method: str, nodes: Iterable[ast.stmt]) -> bool:
    """Tell whether a method may be called without being mentioned: by Python itself, or by whoever decorated it."""
    if method.startswith("__") and method.endswith("__"):
        return True
    decorators = [item for node in nodes for item in getattr(node, "decorator_list", [])]
    names = [_join_dotted(item.func if isinstance(item, ast.Call) else item) for item in decorators]
    return any(not name or name[-1] not in PLAIN_DECORATORS for name in names)
