"""Who can be asked: one module for each kind of backend, and `base` for what they have in common."""
