"""gen-gres: the gres.conf that isolates every slice, from what discover saw."""
