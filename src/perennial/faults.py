"""What a person can mend, in one or two lines and never a traceback."""


class Fault(Exception):
    """Something is wrong that the person at the keyboard can mend.

    The message says what is wrong, where, and what to do.
    """

    exit_code = 1


class FileFault(Fault):
    """A raw file cannot be used at all. Faults of single rows go to quarantine.

    What is quoted from a file may hold anything: what would steer a terminal or begin
    another line is told as a blank.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else " " for c in message))


class UsageFault(Fault):
    """The command was called with something it cannot do."""

    exit_code = 2


class LockFault(Fault):
    """Another process writes for the same connector."""

    exit_code = 75
