"""Preprocess: from raw images to one array file a case, and the fingerprint of the data set."""
