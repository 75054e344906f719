#!/bin/sh
# A hook with accidents: tell that it ran, then run it, and for some jobs kill it midway.
# slurm.conf names it for both; like every hook it is given no PATH.
told=/run/cluster/storm
kind=${SLURM_SCRIPT_CONTEXT%_slurmd}
fate=lives
case $kind.$((SLURM_JOB_ID % 100)) in
prolog.7) fate=seen ;;              # slurmd sees the kill: it drains the node
prolog.[14]1) fate=unseen ;;        # nobody sees it: as if the job went on with half a prolog
epilog.57) fate=seen ;;
epilog.[1-4]3) fate=unseen ;;
esac
[ -e "$told/calm" ] && fate=lives
# Once a job: what is requeued must come through.
[ $fate = lives ] || /bin/mkdir "$told/killed.$kind.$SLURM_JOB_ID" 2>/dev/null || fate=lives
echo "$SLURM_JOB_ID $SLURMD_NODENAME $kind $fate" >>"$told/runs"
[ $fate = lives ] && exec "/run/checkout/hooks/$kind"
"/run/checkout/hooks/$kind" &
hook=$!
/bin/sleep "0.0$((SLURM_JOB_ID * 37 % 60 + 10))"
kill -KILL $hook 2>/dev/null
wait $hook
code=$?
# It may have been done already; if not, 137.
echo "$SLURM_JOB_ID $SLURMD_NODENAME $kind $code" >>"$told/deaths"
[ $fate = unseen ] && exit 0
exit $code
