// Runs Python on the 32-bit MicroPython and weighs what is in use. MIT license.
//
//   node run.mjs PLAN.json
//
// PLAN: {"module": path of micropython.mjs, "mount": {directory here: directory there}, "before": source,
// "steps": [{"name", "run": source, "turns": 0, or n: the tasks run afterwards, and every n-th turn is looked at}]}.
// Writes one line of JSON: the bytes in use before the first step, and for each step those in use after it and the most
// at the end of a turn during it.
//
// The collector of this build only works between two calls from JavaScript, when nothing lives on a stack. So the heap
// is weighed between turns of tasks. What a task holds while it waits counts: a message on its way to the socket, for
// example, with the objects, the text and the frame that it is made of.
import { readdirSync, readFileSync, statSync } from "node:fs";

const HEAP = 1 << 19; // to begin with; it grows. Sweeping a larger one takes longer.

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { loadMicroPython } = await import(plan.module);
const output = [];
const mp = await loadMicroPython({ heapsize: HEAP, linebuffer: true, stdout: (line) => output.push(line) });

function copy(from, to) {
  mp.FS.mkdirTree(to);
  for (const name of readdirSync(from)) {
    const source = `${from}/${name}`;
    if (statSync(source).isDirectory()) copy(source, `${to}/${name}`);
    else mp.FS.writeFile(`${to}/${name}`, readFileSync(source));
  }
}

function allocated() {
  mp.runPython("_used = gc.mem_alloc()");
  return mp.globals.get("_used");
}

function inUse() {
  mp.runPython("gc.collect()");
  return allocated();
}

// Lets the tasks run as long as turn() says; returns the most that was in use after any turn. With `every` n only each
// n-th turn is looked at.
function runTasks(used, every) {
  let most = used;
  do {
    mp.runPython(`_more = _run(${most}, ${every})`);
    most = Math.max(most, inUse());
  } while (mp.globals.get("_more"));
  return most;
}

// Takes turns until more has been allocated than ever was in use: then it must be told from garbage.
const RUN = `
import gc
def _run(limit, every):
    count = 0
    while turn():
        count += 1
        if count % every == 0 and gc.mem_alloc() > limit:
            return True
    return False
`;

try {
  for (const [from, to] of Object.entries(plan.mount)) copy(from, to);
  mp.runPython(RUN);
  mp.runPython(plan.before);
  const begin = inUse();
  const steps = [];
  for (const step of plan.steps) {
    mp.runPython(step.run);
    const used = inUse();
    const most = step.turns ? runTasks(used, step.turns) : used;
    steps.push({ name: step.name, used: inUse(), most });
  }
  console.log(JSON.stringify({ begin, steps, output }));
} catch (error) {
  process.stderr.write(`${output.join("\n")}\n${error}\n`);
  process.exit(1);
}
