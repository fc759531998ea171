"""What sqlfluff sees of macros that are called by the package's name: an argument."""


def __getattr__(name):
    return lambda *arguments, **options: arguments[0] if arguments else name
