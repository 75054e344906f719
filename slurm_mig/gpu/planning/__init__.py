"""From what is there to what is wanted: which instances fit where, and the fewest steps. Pure."""
