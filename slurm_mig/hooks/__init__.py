"""What slurmd runs before and after every job: it imports next to nothing.

No typing, no re, no pathlib, no json, and posix in the place of os: each costs a job more than
all the work that is done here. Strings are annotations where a name is needed for the type
checker only.
"""
