"""Playing a hypothesis state machine: the same games in every run, or more and other ones with JIANGTAI_LONG=1."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def play(machine: type[RuleBasedStateMachine], *, games: int, long_games: int) -> None:
    """Raises what a game of the machine raises."""
    long = os.environ.get("JIANGTAI_LONG") == "1"
    profile = settings(
        max_examples=long_games if long else games,
        stateful_step_count=80 if long else 50,
        deadline=None,
        derandomize=not long,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)
