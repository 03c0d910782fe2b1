"""The report: one HTML file that opens offline, says what was found and lets a reader follow each number down."""
