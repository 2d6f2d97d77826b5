"""Runs test functions of one file on the unix port: `micropython micropython_runner.py MODULE TEST...`.

Reports on standard output, one marked line for each step; what the tests print themselves goes between the marks:
`<RS>start NAME`, then `<RS>passed NAME MILLISECONDS` or `<RS>failed NAME` and the traceback up to the next mark.
"""

import asyncio
import io
import sys
import time

_MARK = "\x1e"


def report(word, *args):
    print(_MARK + " ".join((word,) + args))


def traceback_of(exc):
    text = io.StringIO()
    sys.print_exception(exc, text)
    return text.getvalue()


def run_test(module, name):
    report("start", name)
    began = time.ticks_ms()
    try:
        # Here an async function is a generator function: only what it returns tells it from a plain one.
        result = getattr(module, name)()
        if hasattr(result, "send"):
            asyncio.run(result)
    except (Exception, asyncio.CancelledError) as exc:
        report("failed", name)
        print(traceback_of(exc))
    else:
        report("passed", name, str(time.ticks_diff(time.ticks_ms(), began)))
    finally:
        asyncio.new_event_loop()  # tasks left behind by one test must not run in the next


def main(module, names):
    try:
        module = __import__(module)
    except Exception as exc:
        report("failed", "import")
        print(traceback_of(exc))
        return
    for name in names:
        run_test(module, name)
    report("end")


main(sys.argv[1], sys.argv[2:])
