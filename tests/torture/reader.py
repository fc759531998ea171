"""Reads what is published again and again, in a process of its own.

Called with the file and where to write what was found; it reads until it is told to
end.
"""

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from looking import look

#: Two readers that never rest would leave nothing of two cores.
SECONDS_BETWEEN_LOOKS = 0.1


def main() -> None:
    """Read until SIGTERM, then say what was found."""
    file, out = sys.argv[1], Path(sys.argv[2])
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    looks_count, errors, contents, empty = 0, [], Counter(), set()
    out.with_suffix(".begun").touch()
    while not ended:
        looks_count += 1
        try:
            found = look(file)
            contents[found.content] += 1
            empty |= set(found.empty)
        except Exception as error:
            errors.append(f"{time.time():.2f} {type(error).__name__}: {error}"[:300])
        time.sleep(SECONDS_BETWEEN_LOOKS)
    out.write_text(
        json.dumps(
            {
                "looks_count": looks_count,
                "errors": errors,
                "contents": contents,
                "empty": sorted(empty),
            }
        )
    )


if __name__ == "__main__":
    main()
