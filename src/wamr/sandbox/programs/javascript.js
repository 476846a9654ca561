// The program that `wamr.sandbox.JavaScript` runs in the engine, never in the host.
//
// It serves requests of the host as programs/python.py does. Untrusted code runs in the same engine
// and can change everything here, so the host relies on nothing of this.

import * as std from "qjs:std";
import * as os from "qjs:os";

// Scripts may declare variables with the names of all globals, so none is looked up later.
const globals = globalThis;
const { Error, Map, Set, String, TypeError, parseInt } = globals;
const { parse, stringify } = JSON;
const { apply, getPrototypeOf } = Reflect;
const { keys, defineProperty, is } = Object;
const { isArray, from } = Array;
const { isFinite } = Number;
const { evalScript, in: stdin, out: stdout, err: stderr } = std;
const { getline, puts, flush } = stdin;
const ObjectPrototype = Object.prototype;

const tools = [];
let marker = "";
let runs = 0;
let toolBytes = 0; // of the sandbox
let mostBytes = 0; // of this run
let depth = 0;
let output = 0;
let warm = false;
let preloaded = ""; // the scripts, as JSON

// ---- messages
function receive() {
  const line = getline.call(stdin);
  if (line === null) std.exit(0);
  return parse(line);
}

function send(text) {
  puts.call(stderr, marker + text + "\n");
}

// ---- values as JSON
function toJSON(value, left = depth) {
  if (left < 0) throw new TypeError("the value is nested too deeply for JSON");
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw new TypeError("a string with a lone surrogate is not JSON");
      return stringify(value);
    case "number":
      if (!isFinite(value)) throw new TypeError(`${value} is not JSON`);
      return stringify(value);
    case "boolean":
      return stringify(value);
    case "object":
      break;
    case "undefined":
      throw new TypeError("undefined is not JSON");
    default:
      throw new TypeError(`a ${typeof value} is not JSON`);
  }
  if (value === null) return "null";
  if (typeof value.toJSON === "function") return toJSON(value.toJSON(), left - 1);
  let text = "";
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) text += (i ? "," : "") + toJSON(value[i], left - 1);
    return `[${text}]`;
  }
  const name = ObjectPrototype.toString.call(value);
  if (name !== "[object Object]" && name !== "[object Math]") {
    throw new TypeError(`${name} is not JSON`);
  }
  for (const key of keys(value)) {
    if (value[key] === undefined) continue;
    text += (text && ",") + toJSON(key) + ":" + toJSON(value[key], left - 1);
  }
  return `{${text}}`;
}

// A text that shows a value, as consoles do.
function shown(value, left = 3, outer = []) {
  try {
    switch (typeof value) {
      case "string":
        return left === 3 && !outer.length ? value : stringify(value);
      case "bigint":
        return `${value}n`;
      case "function":
        return `[Function: ${value.name || "(anonymous)"}]`;
      case "object":
        break;
      default:
        return is(value, -0) ? "-0" : String(value);
    }
    if (value === null) return "null";
    if (value instanceof Error) return described(value).traceback.trimEnd();
    if (outer.includes(value)) return "[Circular]";
    const inner = [...outer, value];
    const next = (item) => shown(item, left - 1, inner);
    if (isArray(value)) return left ? `[${from(value, next).join(", ")}]` : "[Array]"; // also of holes
    const name = ObjectPrototype.toString.call(value).slice(8, -1);
    if (value instanceof Map) {
      const items = [...value].map(([key, item]) => `${next(key)} => ${next(item)}`);
      return left ? `Map(${value.size}) {${items.join(", ")}}` : "[Map]";
    }
    if (value instanceof Set) {
      return left ? `Set(${value.size}) {${[...value].map(next).join(", ")}}` : "[Set]";
    }
    if (name === "Date" || name === "RegExp") return String(value);
    const kind = getPrototypeOf(value)?.constructor?.name ?? "";
    const prefix = kind && kind !== "Object" ? kind + " " : "";
    const items = keys(value).map((key) => `${key}: ${next(value[key])}`);
    return left ? `${prefix}{${items.join(", ")}}` : `[${kind}]`;
  } catch {
    return "[object]";
  }
}

const wellFormed = (text) => String(text).toWellFormed();

// ---- tools
function callTool(name, args, kwargs) {
  let text;
  while (args.length && args[args.length - 1] === undefined) args.pop();
  try {
    text = toJSON({ call: name, args, kwargs }, depth + 3);
  } catch (error) {
    throw new TypeError(`${name}(): the arguments must be JSON: ${error.message}`);
  }
  if (text.length > mostBytes) { // with other characters than ASCII, the host finds it
    const error = new Error(`${name}(): the arguments have ${text.length} bytes, more than ${mostBytes}`);
    error.name = "ValueError";
    throw error;
  }
  send(text);
  const answer = receive();
  if (!("error" in answer)) return answer.value;
  const { type, message } = answer.error;
  const error = type === "TypeError" ? new TypeError(message) : new Error(message);
  if (type !== "TypeError") error.name = type;
  throw error;
}

function makeTool(tool) {
  const call = (...args) => callTool(tool.name, args, {});
  call.named = (named, ...args) => callTool(tool.name, args, { ...named });
  call.doc = tool.doc ?? "";
  call.signature = tool.signature;
  defineProperty(call, "name", { value: tool.name });
  return call;
}

// ---- running code
// The code may have replaced an attribute by one that throws, or that is no text.
function textOf(error, key) {
  try {
    return wellFormed(error[key]);
  } catch {
    return "";
  }
}

// Frames of this file are "<cmdline>"; code is "<evalScript>".
function described(error, lines = []) {
  if (!(error instanceof Error)) {
    const text = wellFormed(shown(error));
    return { type: error === null ? "null" : typeof error, message: text, traceback: `${text}\n` };
  }
  const type = textOf(error, "name");
  const message = textOf(error, "message");
  let traceback = message ? `${type}: ${message}\n` : `${type}\n`;
  for (const line of textOf(error, "stack").split("\n")) {
    if (!line.trim() || line.includes("<cmdline>") || line.includes("evalScript (native)")) continue;
    traceback += wellFormed(line).replace("<evalScript>", "<run>") + "\n";
    const at = /<evalScript>:(\d+)/.exec(line);
    const certain = runs === 1 || line.includes("<eval>") || line.trim().startsWith("at <evalScript>");
    const source = at && certain ? lines[at[1] - 1] : undefined;
    if (source?.trim()) traceback += `        ${source.trim()}\n`;
  }
  return { type, message, traceback };
}

async function run(request) {
  const limit = request.output ?? output;
  mostBytes = request.tool_bytes ?? toolBytes;
  runs++;
  marker = `\0${request.marker}\0`;
  input = [];
  if (request.stdin) {
    input = request.stdin.split("\n");
    if (input.at(-1) === "") input.pop();
  }
  let text;
  try {
    let value;
    if (request.code.includes("await")) value = (await evalScript(request.code, { async: true })).value;
    else value = evalScript(request.code);
    if (typeof value === "object") value = await value;
    if (value === undefined) return "{}";
    try {
      text = `{"value":${toJSON(value)}}`;
    } catch {
      text = stringify({ repr: wellFormed(shown(value)) });
    }
  } catch (error) {
    const exception = described(error, request.code.split("\n"));
    const result = { exception };
    if (error === null) result.limit = "memory?";
    if (exception.type === "InternalError" && exception.message === "out of memory") {
      result.limit = "memory";
    }
    text = stringify(result);
    if (3 * text.length > limit) { // bytes, at most
      for (const key of keys(exception)) exception[key] = exception[key].slice(0, limit / 32).toWellFormed();
      text = stringify(result);
    }
  }
  return text.length <= limit || text.length < 64 ? text : '{"limit":"output"}';
}

// ---- what scripts find
// Files that scripts have written to: what they have buffered is written at the end of a run.
const written = new Set();
for (const name of ["puts", "printf", "write", "putByte"]) {
  const prototype = getPrototypeOf(stdin);
  const original = prototype[name];
  prototype[name] = function (...args) {
    written.add(this);
    return apply(original, this, args);
  };
}

function flushFiles() {
  for (const file of written) {
    try {
      flush.call(file);
    } catch {
      // it is closed
    }
  }
  written.clear();
}

let input = [];
let seeds = null;

// Copies of the engine would have the same random numbers; this is sfc32. Its seed is the marker,
// which the host draws anew for each run.
function random32() {
  seeds ??= [1, 9, 17, 25].map((at) => parseInt(marker.slice(at, at + 8), 16) | 0);
  let [a, b, c, d] = seeds;
  const t = (a + b + d) | 0;
  a = b ^ (b >>> 9);
  b = (c + (c << 3)) | 0;
  c = ((c << 21) | (c >>> 11)) + t;
  seeds = [a, b, c | 0, (d + 1) | 0];
  return t >>> 0;
}

function print(...items) {
  puts.call(stdout, items.map((item) => shown(item)).join(" ") + "\n");
  flush.call(stdout);
}

function printError(...items) {
  puts.call(stderr, items.map((item) => shown(item)).join(" ") + "\n");
}

Math.random = () => ((random32() >>> 5) * 67108864 + (random32() >>> 6)) / 9007199254740992;
globalThis.print = print;
globalThis.readline = () => (input.length ? input.shift() : null);
globalThis.console = {
  log: print, info: print, debug: print, warn: printError, error: printError,
};
delete globalThis.scriptArgs;
delete globalThis.execArgv;
delete globalThis.argv0;

// Run some code, so that the engine has allocated what each run needs.
async function warmUp() {
  for (const code of ["0", "print", "'x'"]) await run({ code, marker: "" });
  puts.call(stdout, [1].map((item) => shown(item)).join(" ").slice(1));
  runs = 0;
  warm = true;
}

// ---- requests
for (;;) {
  const request = receive();
  if ("preload" in request) {
    if (request.program !== version) std.exit(86); // the host is of another version
    toolBytes = request.tool_bytes;
    depth = request.depth;
    output = request.output;
    for (const name of tools.splice(0)) delete globals[name];
    for (const tool of request.tools) {
      tools.push(tool.name);
      globals[tool.name] = makeTool(tool);
    }
    if (preloaded === "") {
      for (const source of request.preload) evalScript(source);
      preloaded = stringify(request.preload);
    } else if (request.preload !== null && stringify(request.preload) !== preloaded) {
      std.exit(86); // scripts can't be undone, so a cache of other scripts doesn't fit
    }
    os.chdir(request.cwd);
    if (!warm) await warmUp();
    continue;
  }
  if (request.new) seeds = null;
  const result = await run(request);
  if (written.size) flushFiles();
  send(result);
}
