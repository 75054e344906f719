"""gres.conf's lines: their order, types and text, and the list that slurmd makes of them."""
