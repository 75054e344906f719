"""Reports of what jobs used: from records to a page for people, programs, and browsers."""
