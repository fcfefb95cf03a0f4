"""How a run ends that cannot go on."""


class Failed(Exception):
    """What could not be done, for the user to read."""
