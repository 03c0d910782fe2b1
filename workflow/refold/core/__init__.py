"""What several phases share. Imports no phase."""
