"""Label maps and probabilities of a fold's test cases, by its model."""
