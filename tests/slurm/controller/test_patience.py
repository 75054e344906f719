from collections.abc import Callable, Iterator

import pytest

from slurm_mig.errors import SlurmNotAnswering, SlurmRefused
from slurm_mig.slurm.controller.patience import CallS, Patience


class Clock:
    """Time that passes only when someone sleeps, or a call takes long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(total_s=60, call_s=10, clock=clock, sleep=clock.sleep)


def answers(*said: object, clock: Clock, takes_s: float = 0) -> Callable[[CallS], object]:
    """A question to which one after the other of these is the answer, or raised."""
    coming: Iterator[object] = iter(said)

    def ask(call_s: CallS) -> object:
        clock.now += min(takes_s, call_s())
        answer = next(coming)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


DOWN = SlurmNotAnswering("down", unsent=True)
LOST = SlurmNotAnswering("lost")
NO = SlurmRefused("no")


def test_an_answer_is_taken_at_once(patience: Patience, clock: Clock) -> None:
    assert patience.read(answers(7, clock=clock)) == 7
    assert clock.slept == []


def test_a_question_is_put_again_ever_less_often(patience: Patience, clock: Clock) -> None:
    assert patience.read(answers(*[DOWN] * 7, 7, clock=clock)) == 7
    assert clock.slept == [0.25, 0.5, 1, 2, 4, 5, 5]


def test_a_no_is_an_answer(patience: Patience, clock: Clock) -> None:
    with pytest.raises(SlurmRefused):
        patience.read(answers(NO, 7, clock=clock))
    assert clock.slept == []


def test_patience_ends(patience: Patience, clock: Clock) -> None:
    with pytest.raises(SlurmNotAnswering, match=r"lost \(asked for 60 s\)"):
        patience.read(answers(*[LOST] * 99, clock=clock, takes_s=9))
    assert clock.now <= 1060


def test_no_command_may_outlast_it(patience: Patience, clock: Clock) -> None:
    allowed = []

    def ask(call_s: CallS) -> None:
        allowed.append(call_s())
        clock.now += call_s()
        raise LOST

    with pytest.raises(SlurmNotAnswering):
        patience.read(ask)
    assert allowed[0] == 10
    assert all(each <= 10 for each in allowed)
    assert clock.now <= 1060.1


def test_many_commands_of_one_question_share_its_time(patience: Patience, clock: Clock) -> None:
    def ask(call_s: CallS) -> None:
        for _ in range(100):
            if call_s() < 9:
                raise LOST
            clock.now += 9

    with pytest.raises(SlurmNotAnswering):
        patience.read(ask)
    assert clock.now <= 1060


def test_a_change_that_never_arrived_is_sent_again(patience: Patience, clock: Clock) -> None:
    patience.change(answers(DOWN, DOWN, None, clock=clock), _never)
    assert clock.slept == [0.25, 0.5]


def _never(call_s: CallS) -> bool:
    raise AssertionError("there is nothing to look for")


def test_after_a_lost_answer_it_looks_first(patience: Patience, clock: Clock) -> None:
    patience.change(answers(LOST, clock=clock), lambda _: True)  # sent once


def test_what_was_not_done_is_sent_again(patience: Patience, clock: Clock) -> None:
    patience.change(answers(LOST, None, clock=clock), lambda _: False)


def test_looking_is_patient_too(patience: Patience, clock: Clock) -> None:
    looked = answers(DOWN, DOWN, True, clock=clock)
    patience.change(answers(LOST, clock=clock), lambda call_s: bool(looked(call_s)))


def test_a_no_to_a_second_attempt_may_be_the_first_one_s_doing(
    patience: Patience, clock: Clock
) -> None:
    looked = iter([False, True])
    patience.change(answers(LOST, NO, clock=clock), lambda _: next(looked))
    # A command that was killed off by a restart of slurmctld may have been heard all the same.
    patience.change(answers(DOWN, NO, clock=clock), lambda _: True)


def test_a_no_is_a_no(patience: Patience, clock: Clock) -> None:
    with pytest.raises(SlurmRefused):
        patience.change(answers(NO, clock=clock), _never)
    for first in (DOWN, LOST):
        with pytest.raises(SlurmRefused):
            patience.change(answers(first, NO, clock=clock), lambda _: False)


@pytest.mark.parametrize(("said", "unsent"), [((DOWN,) * 99, True), ((LOST, *(DOWN,) * 99), False)])
def test_it_is_told_whether_the_change_may_have_been_made(
    patience: Patience, clock: Clock, said: tuple[Exception, ...], unsent: bool
) -> None:
    with pytest.raises(SlurmNotAnswering) as told:
        patience.change(answers(*said, clock=clock), lambda _: False)
    assert told.value.unsent == unsent
    assert clock.now <= 1060
