"""slurmdbd over a MariaDB of the cluster's own, on the controller's machine."""

import time

from tests.cluster.machines import Machines
from tests.cluster.node import ClusterError
from tests.cluster.slurmconf import CONTROLLER, DBD_PORT

SETTINGS = {
    "AccountingStorageType": "accounting_storage/slurmdbd",
    "AccountingStorageHost": CONTROLLER,
    "AccountingStoragePort": str(DBD_PORT),
    "AccountingStorageTRES": "gres/gpu",
    "JobAcctGatherType": "jobacct_gather/linux",
}
_CONF = f"""\
AuthType=auth/munge
DbdHost={CONTROLLER}
DbdPort={DBD_PORT}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
PidFile=/run/cluster/slurmdbd.pid
LogFile=/run/cluster/log/slurmdbd.log
"""
_DATA = "/run/cluster/database"
# The client library looks for the socket in /run/mysqld, which is this machine's alone.
_MARIADB = f"""\
mkdir -p {_DATA} /run/mysqld
mariadb-install-db --no-defaults --user=root --datadir={_DATA} --skip-test-db \
    --auth-root-authentication-method=normal >/run/cluster/log/mariadb.log
setsid -f mariadbd --no-defaults --user=root --datadir={_DATA} --skip-networking \
    --socket=/run/mysqld/mysqld.sock --innodb-flush-log-at-trx-commit=0 \
    >>/run/cluster/log/mariadb.log 2>&1
"""
LIMIT_S = 30.0


def start(machines: Machines) -> None:
    """Start both and wait until slurmdbd answers. Raises ClusterError."""
    if machines.exec(CONTROLLER, ["sh", "-c", "command -v mariadbd"], check=False).returncode != 0:
        raise ClusterError("no MariaDB: run `python -m tests.cluster setup --accounting`")
    conf = machines.conf / "slurmdbd.conf"
    conf.touch(0o600)  # slurmdbd refuses one that others may read
    conf.write_text(_CONF)
    machines.exec(CONTROLLER, ["sh", "-e", "-c", _MARIADB])
    _retry(machines, ["test", "-S", "/run/mysqld/mysqld.sock"])
    machines.exec(CONTROLLER, ["slurmdbd"])
    _retry(machines, ["sacctmgr", "--noheader", "show", "cluster"])


def _retry(machines: Machines, words: list[str]) -> None:
    end = time.monotonic() + LIMIT_S
    while (done := machines.exec(CONTROLLER, words, check=False)).returncode != 0:
        if time.monotonic() > end:
            raise ClusterError(f"{' '.join(words)} after {LIMIT_S:.0f} s: {done.stderr}")
        time.sleep(0.1)
