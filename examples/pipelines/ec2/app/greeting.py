"""Says hello."""


def greeting(name: str) -> str:
    """What to say to somebody, or to nobody in particular."""
    return f"Hello, {name.strip() or 'you'}!"
