"""The `data` phase: fetch or make a data set in MSD layout, check it, and write the table of cases."""
