"""Many volumes with their reports in one run: the table, the workers, what is done, what failed and why."""
