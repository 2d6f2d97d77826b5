// Runs Python on the 32-bit MicroPython and weighs what is in use. MIT license.
//
//   node run.mjs PLAN.json
//
// PLAN: {"module": path of micropython.mjs, "mount": {directory here: directory there}, "before": source,
// "steps": [{"name", "run": source, "turns": whether the tasks run afterwards}]}. Writes one line of JSON: the bytes in
// use before the first step, and for each step those in use after it and the most at the end of any turn during it.
//
// The collector of this build only works between two calls from JavaScript, when nothing lives on a stack. So the heap
// is weighed between turns of tasks. What a task holds while it waits counts: a message on its way to the socket, for
// example, with the objects, the text and the frame that it is made of.
import { readdirSync, readFileSync, statSync } from "node:fs";

const HEAP = 1 << 20; // to begin with; it grows. Sweeping a larger one takes longer.

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

// Lets the tasks run as long as turn() says; returns the most that was in use between two turns.
function runTasks(used) {
  let most = used;
  do {
    mp.runPython("more = turn()\n_used = gc.mem_alloc()");
    // Only where it could be more than ever does it pay to tell what is in use from garbage.
    if (mp.globals.get("_used") > most) most = Math.max(most, inUse());
  } while (mp.globals.get("more"));
  return most;
}

try {
  for (const [from, to] of Object.entries(plan.mount)) copy(from, to);
  mp.runPython("import gc");
  mp.runPython(plan.before);
  const begin = inUse();
  const steps = [];
  for (const step of plan.steps) {
    mp.runPython(step.run);
    const used = inUse();
    const most = step.turns ? runTasks(used) : used;
    steps.push({ name: step.name, used: inUse(), most });
  }
  console.log(JSON.stringify({ begin, steps, output }));
} catch (error) {
  process.stderr.write(`${output.join("\n")}\n${error}\n`);
  process.exit(1);
}
