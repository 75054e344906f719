"""doctor: what is wrong or risky on a node, each with the line that mends it."""
