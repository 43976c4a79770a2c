#!/usr/bin/env python3
"""Prints the messages of a link as JSON lines, live or after a crash, while neither of its ends knows of it."""

import argparse
import json
import sys
import time

from airssys_region import Message, Observer, RegionError, bus_directory

IDLE_SECONDS = 0.001


def line_of(seen):
    if isinstance(seen, Message):
        line = {"position": seen.position, "message": seen.value}
        if seen.sent_ns is not None:
            line["sent_ns"] = seen.sent_ns
        return line
    return {"position": seen.position, "missed": seen.count}


def read(observer, count, follow):
    messages, was_gone = 0, False
    while count is None or messages < count:
        seen = observer.next()
        if seen is not None:
            print(json.dumps(line_of(seen)))
            messages += isinstance(seen, Message)
            continue
        # A link that is closed here has nothing left. A bus that is gone may have had its last words after our look.
        if not follow or observer.is_closed() or was_gone:
            return
        was_gone = observer.region.is_gone()
        sys.stdout.flush()
        time.sleep(IDLE_SECONDS)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bus", help="the bus's name, or the path of its directory")
    arguments.add_argument("link")
    arguments.add_argument("--count", type=int, help="end after so many messages")
    arguments.add_argument("--follow", action="store_true", help="wait for more, until the link is closed or the bus gone")
    given = arguments.parse_args()
    try:
        observer = Observer(bus_directory(given.bus), given.link)
        read(observer, given.count, given.follow)
    except (RegionError, OSError) as error:
        sys.exit(f"read_link: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        # Nobody reads on: nothing to say, also not at exit.
        sys.stderr.close()
