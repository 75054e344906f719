"""Which records a question is about.

A record belongs to the moment at which its job ended on its node (as months of the files do):
`since` and `until` compare with that, and a record whose end is not known is in neither.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, true

from slurm_mig.usage.store.schema import records, slices

WHOLE_GPU = "whole"  # what Filters.profiles calls a slice that is a whole GPU (profile None)


class Filters(NamedTuple):
    """Which records, and which of their slices: all that match every field that is not empty.

    since <= end < until. `users` may be names or uids as text ("1001").
    """

    since: float | None = None
    until: float | None = None
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    job_ids: tuple[int, ...] = ()


def chosen(asked: Select[Any], filters: Filters) -> Select[Any]:
    """The question, put to what the filters leave of records and their slices."""
    joined = records.join(slices, slices.c.record == records.c.id)
    return asked.select_from(joined).where(and_(true(), *_conditions(filters)))


def _conditions(filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.since is not None:
        yield records.c.ended >= filters.since
    if filters.until is not None:
        yield records.c.ended < filters.until
    if filters.users:
        uids = [int(user) for user in filters.users if user.isascii() and user.isdigit()]
        yield or_(records.c.user_name.in_(filters.users), records.c.uid.in_(uids))
    for column, wanted in (
        (records.c.account, filters.accounts),
        (records.c.partition, filters.partitions),
        (records.c.cluster, filters.clusters),
        (records.c.node, filters.nodes),
        (records.c.job_id, filters.job_ids),
    ):
        if wanted:
            yield column.in_(wanted)
    if filters.profiles:
        named = slices.c.profile.in_(filters.profiles)
        whole = WHOLE_GPU in filters.profiles
        yield or_(named, slices.c.profile.is_(None)) if whole else named
