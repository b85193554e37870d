/* page.js - what every page draws with: elements, numbers, times. */
/* Text only ever becomes text, so nothing in the data can become an element. */
function el(name, attrs, ...children) {
  const svg = ['svg', 'rect', 'line', 'text', 'g', 'title'].includes(name);
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name)
                   : document.createElement(name);
  for (const [key, value] of Object.entries(attrs || {})) node.setAttribute(key, value);
  for (const child of children) node.append(child);
  return node;
}

/* A number with three digits that count, in the page's language. */
function number(value) {
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value.toLocaleString(document.documentElement.lang,
    {minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false});
}
function duration(ns) {
  if (ns < 1e3) return Math.round(ns) + ' ns';
  if (ns < 999.5e3) return number(ns / 1e3) + ' µs';
  if (ns < 999.5e6) return number(ns / 1e6) + ' ms';
  return number(ns / 1e9) + ' s';
}
function short(ns, step) {
  const [unit, name] = step >= 1e8 ? [1e9, 's'] : step >= 1e5 ? [1e6, 'ms'] : [1e3, 'µs'];
  const value = (ns / unit).toLocaleString(document.documentElement.lang,
    {maximumFractionDigits: 2, useGrouping: false});
  return value + ' ' + name;
}
