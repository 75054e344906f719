"""A program that keeps the caps with these numbers open, until it is killed."""

import os
import sys
import time
from pathlib import Path

for number in sys.argv[1:]:
    # No driver is there to open it with: O_PATH is as much as a simulated node can give.
    os.open(f"/dev/nvidia-caps/nvidia-cap{number}", os.O_PATH)
Path(f"/run/cluster/storm/holds.{os.getpid()}").touch()
time.sleep(3600)
