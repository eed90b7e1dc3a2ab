(function (print) {
  const show = (value) => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return String(value.stack ? value + '\n' + value.stack : value);
    try { const text = JSON.stringify(value); return text === undefined ? String(value) : text; }
    catch { return String(value); }
  };
  const line = (stream) => (...values) => print(stream, values.map(show).join(' ').toWellFormed());
  const out = line(0), err = line(1);
  globalThis.console = { log: out, info: out, debug: out, warn: err, error: err, trace: err };
  globalThis.print = out;

  // The text between the parentheses of a function's parameters, split at the outer commas.
  const parameters = (text) => {
    const arrow = /^(?:async\s+)?([\w$]+)\s*=>/.exec(text);
    if (arrow) return [arrow[1]];
    const list = [];
    let part = '', depth = 0;
    for (let at = text.indexOf('('); at < text.length; at++) {
      const c = text[at];
      if (c === '/' && text[at + 1] === '*') { at = text.indexOf('*/', at) + 1; continue; }
      if (c === '/' && text[at + 1] === '/') { at = text.indexOf('\n', at); continue; }
      if (c === '"' || c === "'" || c === '`') {
        for (part += c, at++; text[at] !== c; at++) { if (text[at] === '\\') at++; }
      } else if (c === '(' || c === '[' || c === '{') {
        if (depth++ === 0) continue;
      } else if (c === ')' || c === ']' || c === '}') {
        if (--depth === 0) break;
      } else if (c === ',' && depth === 1) { list.push(part); part = ''; continue; }
      part += c;
    }
    if (part.trim() || list.length) list.push(part);
    return list.map((one) => one.trim()).filter((one) => one);
  };
  return (main, variables) => {
    const named = (one) => variables[one.split('=')[0].replace('...', '').trim()];
    const all = parameters(Function.prototype.toString.call(main));
    return main(...all.map((one) => one.startsWith('{') ? variables : named(one)));
  };
})
