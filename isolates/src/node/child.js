// One script on Node, Deno or Bun, in a process that was started and locked in before the script
// was known.
//
// Started by the worker inside the sandbox as `node … -e <this> <prelude of all JavaScript>
// <packages>`.
// fd 3 (for Deno, which knows no others, 0 and 1) is a socket to the server: one byte `R` when this
// is ready; then it reads the length of the job (8 bytes) and the job (JSON), and writes frames:
// kind (1 byte), length (4 bytes), data.
// Kinds: `o` and `e` are printed text, `m` is memory, `r` is the end: {"ok": …} or {"error": {…}}.
'use strict';
(() => {
  const fs = require('node:fs');
  const vm = require('node:vm');
  const { inspect } = require('node:util');
  const { Console } = require('node:console');
  const { Writable } = require('node:stream');

  const SCRIPT = 'script', CALLS = 10;
  const { Deno, Bun } = globalThis;
  const [FROM, TO] = Deno ? [0, 1] : [3, 3];
  // Bun counts the line before the script in calls, though told not to.
  const BEFORE = Bun ? 1 : 0;
  const leave = Deno ? Deno.exit.bind(Deno) : process.reallyExit.bind(process);
  const { parse, stringify } = JSON;

  const write = (data) => {
    try {
      for (let at = 0; at < data.length;) at += fs.writeSync(TO, data, at);
    } catch { leave(4); }
  };
  const read = (count) => {
    const data = Buffer.alloc(count);
    for (let at = 0; at < count;) {
      const more = fs.readSync(FROM, data, at, count - at, null);
      if (more === 0) leave(4);
      at += more;
    }
    return data;
  };
  const frame = (kind, data) => {
    const head = Buffer.alloc(5);
    head.write(kind, 'latin1');
    head.writeUInt32LE(data.length, 1);
    write(head);
    write(data);
  };

  // What a script prints goes out at once.
  const kept = [];
  const print = (kind, chunk) => {
    const data = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (data.length === 0) return;
    if (kind === 'o') kept.push(data);
    frame(kind, data);
  };
  const stream = (kind, fd) => {
    const made = new Writable({
      decodeStrings: false,
      write(chunk, encoding, done) {
        print(kind, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
        done();
      },
    });
    made.fd = fd;
    return made;
  };
  const fromPrint = () => {
    const text = Buffer.concat(kept).toString().replace(/\n+$/, '');
    if (!text) return null;
    try { return parse(text); } catch { return text; }
  };

  // The end, once: what comes afterwards is not heard.
  const finish = (text) => {
    frame('m', Buffer.from(String(process.resourceUsage().maxRSS * 1024)));
    frame('r', Buffer.from(text));
    leave(0);
  };
  const printed = () => finish(stringify({ ok: fromPrint() }));
  const fail = (error) => {
    let told;
    try { told = explain(error); } catch { told = { code: 'script_error', message: 'the script failed' }; }
    finish(stringify({ error: told }));
  };
  class Wrong extends Error {
    constructor(message, hint) { super(message); this.hint = hint; }
  }

  const HINTS = [
    [/BigInt/, 'turn it into text or a number: `String(value)`, `Number(value)`'],
    [/circular|cyclic/, 'return a copy without the parts that point back'],
    [/call stack size/, 'recurse less deeply, or use a loop'],
    [/[Ff]etch failed|Unable to connect|typo in the url|^Failed to listen|^(connect|listen|bind|getaddrinfo|queryA) E/, 'there is no network here; use an `exec_http` step before this one'],
    [/^spawn|posix_spawn|^Command failed|^Failed to spawn/, 'scripts start no other programs'],
    [/^E(PERM|ACCES|ROFS|NOENT): /, 'scripts see no files of the host'],
    [/Cannot find (module|package)/, 'scripts have what comes with the runtime, and no packages but those that they name in `dependencies`'],
    [/is not defined/, "only the step's `variables` are defined here"],
  ];

  let places = null;
  // The author's line and column: those of the last known place that is not behind.
  const author = (line, column) => {
    if (!places) return [line, column];
    let low = 0, high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const [at, from] = places[middle];
      if (at < line - 1 || (at === line - 1 && from <= column - 1)) low = middle + 1; else high = middle;
    }
    const found = places[Math.max(low - 1, 0)];
    return found ? [found[2] + 1, found[3] + 1] : [line, column];
  };
  let last = 1;
  const calls = (stack) => {
    const found = [];
    for (const text of String(stack).split('\n')) {
      const match = /^\s+at (?:(?:async )?(.*?) \()?(?:async )?script:(\d+):(\d+)\)?$/.exec(text);
      const at = match ? +match[2] - BEFORE : 0;
      if (at < 1 || at > last) continue;
      const [line, column] = author(at, +match[3]);
      const name = match[1]?.replace(/^(async )?(<anonymous>)?/, '');
      found.push({ name: name || undefined, line, column });
    }
    return found;
  };
  const outOfMemory = () => ({
    code: 'script_memory',
    message: 'the script needs more memory than it may have',
    hint: "work on less data at once, or raise the step's `memory`",
  });
  const explain = (error) => {
    if (error instanceof Wrong) return { code: 'script_error', message: error.message, hint: error.hint };
    if (!(error instanceof Error)) {
      let text;
      try { text = stringify(error); } catch { /* it is no JSON */ }
      return { code: 'script_error', message: `the script threw ${text ?? 'a value'}`, hint: 'throw an Error to say more' };
    }
    const message = String(error.message);
    if (/Array buffer allocation failed|^Out of memory$/.test(message) || error.code === 'ERR_WORKER_OUT_OF_MEMORY') return outOfMemory();
    const cause = online && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    const known = !cause && HINTS.find(([pattern]) => pattern.test(message));
    const found = calls(error.stack);
    const told = { code: 'script_error', message: `${error.name}: ${message}${cause}` };
    if (known) told.hint = known[1];
    if (found.length) {
      [told.line, told.column] = [found[0].line, found[0].column];
      told.traceback = found.slice(0, CALLS)
        .map((call) => (call.name ? `at ${call.name} (script:${call.line}:${call.column})` : `at script:${call.line}:${call.column}`))
        .join('\n');
    }
    return told;
  };
  // V8 shows the line and a caret before the message.
  // How deep the brackets are, at most: what reads modules has its limits.
  const depth = (text) => {
    let now = 0, most = 0;
    for (const c of text) {
      if ('([{'.includes(c)) most = Math.max(most, ++now);
      else if (')]}'.includes(c)) now--;
    }
    return most;
  };
  // Deno tells no place; reading the same as a module, it does.
  const placed = async (error, text) => {
    if (!Deno || !(error instanceof SyntaxError) || depth(text) > 200) return error.stack;
    try {
      await import('data:text/javascript,' + encodeURIComponent(text));
    } catch (again) {
      const match = /:(\d+):(\d+)$/m.exec(again.stack);
      if (match) return `script:${match[1] - 1}\n\n${' '.repeat(match[2] - 1)}^`;
    }
    return error.stack;
  };
  const unreadable = (error, source, stack) => {
    const [first, , caret] = String(stack).split('\n');
    const told = { code: 'script_syntax', message: `SyntaxError: ${error.message}` };
    const match = /^script:(\d+)$/.exec(first);
    if (match) {
      const past = +match[1] > last;
      const [line, column] = author(Math.min(Math.max(+match[1], 1), last), (caret || '').indexOf('^') + 1);
      told.line = line;
      if (!past && column > 0) told.column = column;
    }
    if (/\b(import|export) /.test(source)) told.hint = 'scripts are no modules: write `require` or `await import(…)`; there is nothing to export';
    return told;
  };

  const compile = (text, file, lineOffset) => new vm.Script(text, {
    filename: file,
    lineOffset,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext();

  const badName = (name) => new Wrong(
    `\`${name}\` cannot be the name of a variable`,
    'use letters, digits, `_` and `$`, not starting with a digit, and no word of the language',
  );

  const main = async (job, callMain) => {
    const { source, variables } = job;
    const names = Object.keys(variables);
    const directive = job.strict ? "'use strict';" : '';
    const bad = names.find((name) => !/^[A-Za-z_$][\w$]*$/.test(name) || name.startsWith('__jalm_'));
    if (bad !== undefined) throw badName(bad);
    const lines = source.split('\n');
    last = Math.max(1, lines.at(-1) === '' ? lines.length - 1 : lines.length);
    let run, text = '';
    try {
      const head = `(async function (${['__jalm_main', '__jalm_variables', ...names].join(', ')}) {${directive}\n`;
      const tail = "\n;if (typeof main === 'function') return __jalm_main(main, __jalm_variables); })";
      text = head + source + tail;
      run = compile(text, SCRIPT, -1);
    } catch (error) {
      for (const name of names) {
        try { compile(`(async function (${name}) {${directive}})`, 'name', 0); } catch { throw badName(name); }
      }
      finish(stringify({ error: unreadable(error, source, await placed(error, text)) }));
    }
    return run(callMain, variables, ...names.map((name) => variables[name]));
  };
  const done = (result) => {
    if (result === undefined) printed();
    if (typeof result === 'function' || typeof result === 'symbol') {
      const kind = typeof result === 'function' ? 'a function' : 'a symbol';
      fail(new Wrong(`the script returned ${kind}, which is no JSON`));
    }
    let text;
    try { text = stringify(result); } catch (error) { fail(error); }
    if (text === undefined) printed();
    finish(`{"ok":${text}}`);
  };

  // The way out, if there is one: TCP to one port, behind which the runner's proxy opens tunnels.
  // Node's own clients do not use proxies, or only in its later versions; so they are shown how.
  const tunnel = (port, target, given) => {
    const { connect } = require('node:net');
    const socket = connect(port, '127.0.0.1');
    let head = Buffer.alloc(0);
    const done = (error) => {
      socket.removeListener('error', done).removeListener('readable', hear).removeListener('close', closed);
      if (error) socket.destroy();
      given(error ?? null, error ? undefined : socket);
    };
    const closed = () => done(new Error(`no way to ${target}: the runner's proxy closed the connection`));
    const hear = () => {
      const more = socket.read();
      if (more === null) return;
      head = Buffer.concat([head, more]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [, status, reason] = /^HTTP\/1\.[01] (\d+) ?(.*)/.exec(head.toString('latin1')) ?? [];
      if (status !== '200') return done(new Error(`no way to ${target}: ${reason ?? 'the proxy makes no sense'}`));
      done();
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
    };
    socket.on('error', done).on('readable', hear).on('close', closed);
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  };
  const useProxy = (port) => {
    const [http, https, tls, { isIP }] = ['http', 'https', 'tls', 'net'].map((name) => require(`node:${name}`));
    const open = (secure, options, given) => {
      const host = options.hostname ?? options.host;
      const target = `${isIP(host) === 6 ? `[${host}]` : host}:${options.port || (secure ? 443 : 80)}`;
      tunnel(port, target, (error, socket) => {
        if (error || !secure) return given(error, socket);
        const servername = options.servername || (isIP(host) ? undefined : host);
        const wrapped = tls.connect({ ALPNProtocols: ['http/1.1'], ...options, socket, servername });
        const failed = (why) => given(why);
        wrapped.once('error', failed).once('secureConnect', () => {
          wrapped.removeListener('error', failed);
          given(null, wrapped);
        });
      });
    };
    for (const [module, secure] of [[http, false], [https, true]]) {
      module.globalAgent.createConnection = (options, given) => { open(secure, options, given); };
    }
    // What `fetch` uses is there once it was called.
    const dispatcher = Symbol.for('undici.globalDispatcher.1');
    fetch('data:,').catch(() => {});
    const Agent = globalThis[dispatcher]?.constructor;
    if (Agent) globalThis[dispatcher] = new Agent({ connect: (options, given) => open(options.protocol === 'https:', options, given) });
  };
  const online = process.env.http_proxy ? new URL(process.env.http_proxy).port : null;
  // Deno and Bun read the variables themselves.
  if (online && !Deno && !Bun) useProxy(online);

  const callMain = compile(process.argv.at(-2), 'prelude', 0)((kind, text) => print(kind === 0 ? 'o' : 'e', text + '\n'));
  // Packages are found from their folder, whether they are asked for with `require` or `import`.
  const packages = process.argv.at(-1);
  if (packages) {
    process.chdir(packages);
    globalThis.require = require('node:module').createRequire(`${packages}/script.js`);
  }
  const [stdout, stderr] = [stream('o', 1), stream('e', 2)];
  for (const [name, value] of [['stdout', stdout], ['stderr', stderr]]) {
    Object.defineProperty(process, name, { value, configurable: true, enumerable: true });
  }
  globalThis.console = new Console({ stdout, stderr });
  for (const name of ['module', 'exports', '__filename', '__dirname']) delete globalThis[name];
  const shown = online ? /^(https?_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i : /^$/;
  for (const name of Object.keys(process.env)) if (!shown.test(name)) delete process.env[name];
  process.argv = ['node', SCRIPT];
  process.execArgv = [];
  Error.stackTraceLimit = 50;
  process.setUncaughtExceptionCaptureCallback(fail);
  process.on('unhandledRejection', fail);
  process.once('beforeExit', () => fail(new Wrong(
    'the script waits for something that never happens',
    'a promise is never settled, and nothing is left that could settle it',
  )));
  // Deno gives it to modules only.
  globalThis.require ??= require;
  const exit = (code) => {
    if (!code) printed();
    fail(new Wrong(`the script exited with ${code}`, 'return a value, or throw an Error that says what is wrong'));
  };
  process.reallyExit = exit;
  if (Deno) Deno.exit = exit;
  // Whatever is used for the first time takes longer.
  inspect({ a: [1, 'b'], c: new Map() });
  compile('(async function (a) { return a })', 'warm', 0)(1).then(() => {
    write(Buffer.from('R'));
    const job = parse(read(Number(read(8).readBigUInt64LE())).toString());
    places = job.places ?? null;
    return main(job, callMain);
  }).then(done, fail);
})();
