"""What somebody wants: configurations read, resolved, exported, and GPU models known offline."""
