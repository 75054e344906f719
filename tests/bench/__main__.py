"""`python -m tests.bench` (or `make bench`): every benchmark, one after the other.

They print medians and ratios against a baseline of the same run; none of them judges.
"""

from tests.bench import (
    bench_apply,
    bench_fold,
    bench_gres,
    bench_hooks,
    bench_plan,
    bench_reconfigure,
)

for bench in (bench_gres, bench_fold, bench_plan, bench_hooks, bench_apply, bench_reconfigure):
    print(f"== {bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}", flush=True)
    bench.main()
