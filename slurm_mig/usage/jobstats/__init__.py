"""A job's figures as the AdminComment that the jobstats command reads."""
