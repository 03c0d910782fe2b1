"""The sections of the report: of each what it shows (`context`), and its template beside it."""
