"""Fault injection: forks at each point of the running scenario; the child gets the fault and continues."""

import errno
import gc
import inspect
import json
import os
import random
import select
import signal
import sys
import traceback

KINDS = ("RuntimeError", "OSError", "MemoryError")
FILE_KINDS = ("EIO", "ENOSPC", "full")

_CHILD_S = 60  # real time limit for a child
_FINE_MS = 1_500  # fine time steps after the fault, coarse ones later
_GRAIN_MS = 100
_FULL_MS = 15_000  # time that a flash stays full
_EIO = errno.EIO


class Point:
    """An executed place: a line, or a call of the file system. `count`: number of executions."""

    def __init__(self, where, name, is_line):
        self.where = where  # "file.py:12", with the name of a file system call
        self.name = name
        self.is_line = is_line
        self.count = 0
        self.plan = {}  # execution -> kinds of faults to try


class Sweep:
    """Runs a scenario twice: first to count the points, then to try the faults planned for them.

    `play(sweep)` builds everything, calls `watch(site)`, and runs the scenario to its end. Lines of files whose path
    contains one of `folders` are swept.
    """

    def __init__(self, play, folders, workers, report):
        self._play = play
        self._folders = folders
        self._workers = workers
        self._report = report
        self.points = {}
        self._trying = False
        self._children = {}  # pid -> (reading end of its pipe, point, execution, kind)
        self._codes = {}  # code object -> its tracer, or None
        self.site = None
        self.tried = 0
        self.only = lambda where: True

    def run(self, kinds, file_kinds, done, sample, seed):
        """Counts the points and tries each kind at the first execution of each point, and one kind at a later one.

        `done`: first executions that have been tried, as (where, name, kind); new ones are added. `sample`: number of
        random points; None: all.
        """
        self._count()
        chance = random.Random(seed)
        plan = []
        for key in sorted(self.points, key=lambda key: (self.points[key].where, self.points[key].name)):
            point = self.points[key]
            if not self.only(point.where):
                continue
            mine = kinds if point.is_line else [kind for kind in file_kinds if _possible(point.name, kind)]
            first = [kind for kind in mine if (point.where, point.name, kind) not in done]
            plan += [(point, 1, kind) for kind in first]
            if point.count > 1 and mine:
                plan.append((point, chance.randint(2, point.count), chance.choice(mine)))
        if sample is not None and sample < len(plan):
            plan = chance.sample(plan, sample)
        for point in self.points.values():
            point.count = 0
        for point, execution, kind in plan:
            if execution == 1:
                done.add((point.where, point.name, kind))
            point.plan.setdefault(execution, []).append(kind)
        self._trying = True
        self._pass()
        while self._children:
            self._wait()
        return len(plan)

    def _count(self):
        """Counts in a separate process, so that it does not load modules in this one."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                os.close(reading)
                self._pass()
                points = [[*key, *_plain(point)] for key, point in self.points.items()]
                with os.fdopen(writing, "w") as file:
                    json.dump(points, file)
                code = 0
            except SystemExit as exc:
                print(exc, file=sys.stderr, flush=True)
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writing)
        with os.fdopen(reading) as file:
            text = file.read()
        _, status = os.waitpid(pid, 0)
        if status:
            raise SystemExit("the scenario fails without a fault")
        for first, second, where, name, is_line, count in json.loads(text):
            point = self.points[first, second] = Point(where, name, is_line)
            point.count = count

    def _pass(self):
        try:
            self._play(self)
        finally:
            sys.settrace(None)

    # Tracing.

    def watch(self, site):
        """From now on executed lines and file system calls are points."""
        self.site = site
        site.flash.before = self._file_call
        sys.settrace(self._called)

    def _called(self, frame, event, argument):
        code = frame.f_code
        try:
            return self._codes[code]
        except KeyError:
            tracer = self._codes[code] = self._tracer(code)
            return tracer

    def _tracer(self, code):
        path = code.co_filename
        if not any(folder in path for folder in self._folders):
            return None
        if not code.co_flags & inspect.CO_OPTIMIZED and self.site.starting:  # the body of a module or class
            return None  # imports at the start either succeed or prevent the start
        short = path[path.index("firmware/") :]
        points = self.points
        lines = {}

        def local(frame, event, argument):
            if event == "line" and not self.site.looking:
                number = frame.f_lineno
                point = lines.get(number)
                if point is None:
                    key = (short, number)
                    point = lines[number] = points.setdefault(key, Point("%s:%d" % key, "", True))
                point.count += 1
                if point.plan and point.count in point.plan:
                    self._try(point, frame, self._raise)
            return local

        return local

    def _file_call(self, operation, path):
        if self.site.looking:
            return
        frame = sys._getframe(1)
        while "/tools/sweep/" in frame.f_code.co_filename:
            frame = frame.f_back
        path = frame.f_code.co_filename
        at = max(path.find("firmware/"), path.find("lib/"))
        if at < 0:
            return
        key = ("%s:%d" % (path[at:], frame.f_lineno), operation)
        point = self.points.get(key)
        if point is None:
            point = self.points[key] = Point(key[0], operation, False)
        point.count += 1
        if point.plan and point.count in point.plan:
            self._try(point, frame, self._refuse)

    # Trying.

    def _try(self, point, frame, act):
        for kind in point.plan[point.count]:
            while len(self._children) >= self._workers:
                self._wait()
            reading, writing = os.pipe()
            gc.freeze()
            pid = os.fork()
            if pid:
                os.close(writing)
                self._children[pid] = (reading, point, point.count, kind)
                self.tried += 1
                continue
            os.close(reading)
            self._become_child(writing, point, frame)
            act(kind)
            return

    def _become_child(self, writing, point, frame):
        """Continues the scenario in the child, without tracing."""
        signal.alarm(_CHILD_S)
        gc.disable()
        sys.settrace(None)
        self._children = {}
        for other in self.points.values():
            other.plan = {}
        site = self.site
        self._writing = writing
        site.flash.before = None
        site.loop.adopt()
        site.hit = _concerned(frame) if not site.starting else "all"
        site.started_with = site.starting
        site.injected_ms = site.loop.ms
        watched = site.loop.on_time

        def passed(ms):
            watched(ms)
            if ms - site.injected_ms > _FINE_MS:
                site.loop.grain_ms = _GRAIN_MS

        site.loop.on_time = passed

    def child_ends(self):
        """Call it at the end of `play`: in a child it reports and does not return."""
        if self.site is None or self.site.injected_ms is None:
            return
        site = self.site
        line = {"broken": site.broken, "hit": site.hit, "log": site.log if site.broken else []}
        line["start"] = bool(site.ended_at_start)
        os.write(self._writing, json.dumps(line).encode()[:60_000])
        os._exit(0)

    def _raise(self, kind):
        if kind == "OSError":
            raise OSError(_EIO, "swept")
        raise {"RuntimeError": RuntimeError, "MemoryError": MemoryError}[kind]("swept")

    def _refuse(self, kind):
        site = self.site
        if kind == "full":
            site.flash.fill()
            site.loop.call_later(_FULL_MS / 1000, site.flash.empty)
        raise OSError(_EIO if kind == "EIO" else errno.ENOSPC, "swept")

    def _wait(self):
        """Waits until a child has ended, and reports it."""
        readings = {reading: pid for pid, (reading, *_) in self._children.items()}
        ready, _, _ = select.select(list(readings), [], [])
        for reading in ready:
            pid = readings[reading]
            data = b""
            while True:
                piece = os.read(reading, 65536)
                if not piece:
                    break
                data += piece
            os.close(reading)
            _, status = os.waitpid(pid, 0)
            _, point, execution, kind = self._children.pop(pid)
            if data:
                outcome = json.loads(data)
            else:
                signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                text = "hangs" if signal_number == signal.SIGALRM else "the run died (status %d)" % status
                outcome = {"broken": [text], "hit": None, "log": [], "start": False}
            self._report(point, execution, kind, outcome)


def _plain(point):
    return point.where, point.name, point.is_line, point.count


def _possible(operation, kind):
    """Returns False for a full flash at an operation that does not write."""
    return kind == "EIO" or operation in ("create", "write", "commit", "mkdir", "rename")


def _concerned(frame):
    """Returns the connector number for which a frame runs, "all" for the control task itself, or None."""
    while frame is not None:
        owner = frame.f_locals.get("self")
        name = type(owner).__name__
        if name in ("Evse", "Connector", "Metering"):
            return owner.number
        if name == "Control":
            return "all"
        frame = frame.f_back
    return None
