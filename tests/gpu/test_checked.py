"""Reading JSON that cannot be believed: every problem is noted once, with the key's full path."""

from collections.abc import Callable
from typing import Any

import pytest

from slurm_mig.gpu.checked import Checked

Problems = list[str]


def checked(value: object) -> tuple[Checked, Problems]:
    problems: Problems = []
    return Checked(value, "f: ", problems), problems


GOOD: list[tuple[str, Any, Any]] = [
    ("number", 0, 0),
    ("number", 2**53 - 1, 2**53 - 1),
    ("flag", True, True),
    ("flag", False, False),
    ("text", "a b", "a b"),
    ("text", "é", "é"),
    ("texts", [], ()),
    ("texts", ["a", "b"], ("a", "b")),
    ("ranges", [[0, 3], [5, 5]], ((0, 3), (5, 5))),
]


def each(method: str, *values: object) -> list[tuple[str, object]]:
    return [(method, value) for value in values]


BAD = [
    *each("number", -1, 2**53, 1.0, "1", True, None, []),
    *each("flag", 0, 1, "true", None),
    *each("text", "", "a\n", "a\0", "\x1b[31m", "\u202e", 3, None, "x" * 5000),
    *each("texts", "a", [1], [""], ["a\nb"], None),
    *each("ranges", 3, [3], [[1]], [[1, 2, 3]], [[2, 1]], [[-1, 1]], [["1", 2]]),
    *each("ranges", [[True, 2]], [[0, 2**53]]),
]
STAND_IN = {"number": 0, "flag": False, "text": "", "texts": (), "ranges": ()}


@pytest.mark.parametrize(("method", "value", "answer"), GOOD)
def test_what_is_right_is_answered(method: str, value: object, answer: object) -> None:
    read, problems = checked({"key": value})
    assert getattr(read, method)("key") == answer
    assert (problems, read.clean) == ([], True)


@pytest.mark.parametrize(("method", "value"), BAD)
def test_what_is_wrong_is_noted_and_stood_in_for(method: str, value: object) -> None:
    read, problems = checked({"key": value})
    assert getattr(read, method)("key") == STAND_IN[method]
    (problem,) = problems
    assert problem.startswith("f: key: ")
    assert " is not " in problem
    assert "\n" not in problem
    assert len(problem) < 150
    assert not read.clean


@pytest.mark.parametrize("method", STAND_IN)
def test_what_is_missing_is_noted(method: str) -> None:
    read, problems = checked({})
    assert getattr(read, method)("key") == STAND_IN[method]
    assert problems[0].startswith("f: key: missing; wanted ")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_an_object_that_is_none(value: object) -> None:
    read, problems = checked(value)
    assert problems == ["f: not an object"]
    assert "key" not in read


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "f: a: missing; wanted an object"),
        ({"a": 3}, "f: a: not an object"),
        ({"a": {"b": "x"}}, "f: a.b: 'x' is not a whole number, not negative"),
    ],
)
def test_a_child_is_told_by_its_path_and_only_once(value: object, problem: str) -> None:
    read, problems = checked(value)
    child = read.child("a")
    if problem.startswith("f: a.b"):
        child.number("b")
    assert problems == [problem]


@pytest.mark.parametrize(
    ("read_it", "problem"),
    [
        (lambda read: list(read.children("none")), "f: none: missing; wanted a list of objects"),
        (lambda read: list(read.children("a")), "f: a[1]: not an object"),
        (lambda read: [c.text("b") for c in read.children("c")], "f: c[0].b: missing; wanted"),
    ],
)
def test_children_are_told_by_their_number(
    read_it: Callable[[Checked], object], problem: str
) -> None:
    read, problems = checked({"a": [{}, 1], "c": [{}]})
    read_it(read)
    assert problems[0].startswith(problem)


def test_null_is_something_else_than_missing() -> None:
    read, _ = checked({"null": None, "zero": 0})
    assert [read.is_null(key) for key in ("null", "zero", "missing")] == [True, False, False]
    assert [key in read for key in ("null", "missing")] == [True, False]


def test_clean_is_about_what_was_read_since_the_object_was_begun() -> None:
    read, _ = checked({"bad": -1, "good": {"n": 1}})
    read.number("bad")
    good = read.child("good")
    assert (read.clean, good.clean) == (False, True)
