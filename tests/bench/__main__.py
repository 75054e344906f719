"""`python -m tests.bench` (or `make bench`): every benchmark, one after the other.

They print medians and ratios against a baseline of the same run; none of them judges.
"""

from tests.bench import (
    bench_apply,
    bench_collect,
    bench_fleet,
    bench_fold,
    bench_gres,
    bench_hooks,
    bench_metrics,
    bench_monitor,
    bench_plan,
    bench_reconfigure,
    bench_report,
)

BENCHES = (
    bench_gres,
    bench_fold,
    bench_plan,
    bench_hooks,
    bench_apply,
    bench_reconfigure,
    bench_fleet,
    bench_monitor,
    bench_metrics,
    bench_collect,
    bench_report,
)
for bench in BENCHES:
    print(f"== {bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}", flush=True)
    bench.main()
