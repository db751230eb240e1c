#!/usr/bin/env bash
# pandas: `to_datetime(texts, format="ISO8601")` takes the words "today" and "now" for dates, those of the moment at
# which it runs. A column of a table with such a word is then read without an error, and differently each time.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare pandas==3.1.1 numpy==2.4.6
run <<'PY'
import time

import pandas as pd

from finding import done, seen


def read(word):
    try:
        return pd.to_datetime(["2024-01-01", word], format="ISO8601")[1]
    except ValueError as error:
        return type(error).__name__


for word in ("now", "today"):
    first = read(word)
    time.sleep(0.01)
    second = read(word)
    is_clock = isinstance(first, pd.Timestamp) and isinstance(second, pd.Timestamp) and first < second
    seen(f"ValueError for {word!r}", f"{first}, and then {second}", is_clock)
seen("ValueError for another word", read("later"), read("later") in ("ValueError", "DateParseError"))
done()
PY
