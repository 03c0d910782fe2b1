"""``refold compare``: two or more runs side by side. No phase: it reads what runs have made, and changes none of it."""
