"""Small faults that can be put into a Python source, each at one place: for `mutants.py`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COMPARE = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.Mod: ast.Mult,
}
_NEVER = ast.Name("BufferError", ast.Load())


def faults_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may be put in place of a node, and what to call it."""
    match node:
        case ast.Compare(ops=[first, *_]):
            for other in _COMPARE[type(first)]:
                new = copy.deepcopy(node)
                new.ops[0] = other()
                yield f"{type(first).__name__} is {other.__name__}", new
        case ast.BoolOp():
            new = copy.deepcopy(node)
            new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and is or, or is and", new
        case ast.UnaryOp(op=ast.Not()):
            yield "no not", node.operand
        case ast.UnaryOp(op=ast.USub()):
            yield "no minus", node.operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC:
            new = copy.deepcopy(node)
            new.op = _ARITHMETIC[type(node.op)]()
            yield f"{type(node.op).__name__} is {type(new.op).__name__}", new
        case ast.Constant(value=bool() as value):
            yield f"{value} is {not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"{value} is {value + 1}", ast.Constant(value + 1)
            yield f"{value} is {value - 1}", ast.Constant(value - 1)
        case ast.Constant(value=str() as value) if " " not in value:
            yield f"{value!r} is another", ast.Constant(f"XX{value}")
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield "left out", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "left out", ast.Pass()
        case ast.AugAssign():
            yield "left out", ast.Pass()
        case ast.Break():
            yield "break is continue", ast.Continue()
        case ast.Continue():
            yield "continue is break", ast.Break()
        case ast.ExceptHandler(type=ast.expr()):
            new = copy.deepcopy(node)
            new.type = _NEVER
            yield "catches nothing", new
        case _:
            pass
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(node.test, ast.Constant):
        new = copy.deepcopy(node)
        new.test = ast.UnaryOp(ast.Not(), new.test)
        yield "the other way round", new
    if isinstance(node, ast.For):
        new = copy.deepcopy(node)
        new.iter = ast.List([], ast.Load())
        yield "no round", new
    if isinstance(node, ast.comprehension) and node.ifs:
        new = copy.deepcopy(node)
        new.ifs[0] = ast.UnaryOp(ast.Not(), new.ifs[0])
        yield "the others", new


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)


class Places(ast.NodeVisitor):
    """Every fault of a module: line span, name, where it is and what stands there instead."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int, str, ast.AST, str, int | None, ast.AST]] = []
        self._line = 0

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, (ast.stmt, ast.excepthandler)):
            self._line = node.lineno
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST) and not _is_text(node, child):
                    self._visit_at(node, field, index if isinstance(value, list) else None, child)

    def _visit_at(self, parent: ast.AST, field: str, index: int | None, child: ast.AST) -> None:
        line = self._line
        if isinstance(child, (ast.stmt, ast.excepthandler)):
            line = child.lineno
        for name, new in faults_of(child):
            end = getattr(child, "lineno", line)
            self.found.append((line, max(line, end), name, parent, field, index, new))
        self.visit(child)
        self._line = line


def _is_text(parent: ast.AST, child: ast.AST) -> bool:
    if isinstance(child, ast.JoinedStr) or isinstance(parent, ast.JoinedStr):
        return True
    docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
    named = isinstance(child, ast.Assign) and getattr(child.targets[0], "id", "") == "__all__"
    return docstring or named


def put(place: tuple[Any, ...]) -> None:
    """The fault is in the tree that it was found in."""
    *_, parent, field, index, new = place
    if index is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[index] = new


def places_of(path: Path) -> tuple[ast.Module, list[tuple[Any, ...]]]:
    """The tree of a source, and every fault that can be `put` into it."""
    tree = ast.parse(path.read_text())
    places = Places()
    places.visit(tree)
    return tree, places.found
