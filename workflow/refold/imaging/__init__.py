"""Images, grids and preprocessed cases."""
