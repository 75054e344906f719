"""Which records a question is about.

A record belongs to the moment at which its job ended on its node (as months of the files do):
`since` and `until` compare with that, and a record whose end is not known is in neither.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, true

from slurm_mig.usage.store.asking import WHOLE_GPU as WHOLE_GPU
from slurm_mig.usage.store.asking import Filters as Filters
from slurm_mig.usage.store.schema import records, slices


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
