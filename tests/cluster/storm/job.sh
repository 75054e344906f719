#!/bin/sh
# A job of the storm: tell which slices open, and end as the job's number says.
# $1: ends (the usual), stays (all the time), doomed (until cancelled), leaves (a process
# behind that Slurm does not find).
LC_ALL=C
told=/run/cluster/storm
caps=/dev/nvidia-caps/nvidia-cap
read -r began _ </proc/uptime
said=$told/said.$SLURM_JOB_ID
for cap in "$caps"*; do true <"$cap"; done 2>"$said"
# Behind a simulated node is no driver: ENXIO means that the device cgroup lets us.
opened=$(sed -n "s,.*$caps\([0-9]*\): No such device.*,\1,p" "$said" | tr '\n' ' ')

hold() {
    setsid /usr/bin/python3 -I -S /run/checkout/tests/cluster/storm/hold.py $opened &
    held=$!
    until [ -e "$told/holds.$held" ]; do sleep 0.05; done
}

[ "$1" = ends ] || hold
read -r ended _ </proc/uptime
echo "$SLURM_JOB_ID $SLURMD_NODENAME $began $ended $opened" >>"$told/probes"
if [ "$1" != ends ]; then
    echo "$held" >"$told/new.$SLURM_JOB_ID"
    mv "$told/new.$SLURM_JOB_ID" "$told/$1.$SLURM_JOB_ID"
fi
case $1 in
stays | doomed) sleep 600 ;;
leaves)
    # Slurm would end it with the job: somebody takes it out of the job's cgroup first.
    tries=0
    until [ -e "$told/left.$SLURM_JOB_ID" ] || [ $tries -ge 600 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    ;;
esac
case $((SLURM_JOB_ID % 8)) in
5) kill -KILL $$ ;;
6) exit 3 ;;
esac
exit 0
