// Elements are made one by one and filled with text, never with markup.
function node(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);

// A name from outside keeps its direction of writing to itself.
const name = (text) => node('bdi', {}, text);

// A path is broken where a folder ends, if it must be.
function path(text) {
  const shown = node('bdi');
  for (const part of text.split(/(?<=[/\\])/)) shown.append(part, node('wbr'));
  return shown;
}

const figure = (number) => number.toFixed(2);

const many = (count) => count.toLocaleString('en');

const theme = {
  // Where a page may not store anything, the choice holds as long as the page.
  start() {
    try {
      const chosen = localStorage.getItem('emotag-theme');
      if (chosen === 'light' || chosen === 'dark') this.set(chosen);
    } catch { /* as the system says */ }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.say());
    byId('theme').addEventListener('click', () => this.toggle());
    this.say();
  },
  isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  },
  set(chosen) {
    document.documentElement.dataset.theme = chosen;
    this.say();
  },
  say() {
    byId('theme').textContent = this.isDark() ? 'Light' : 'Dark';
  },
  toggle() {
    this.set(this.isDark() ? 'light' : 'dark');
    try {
      localStorage.setItem('emotag-theme', document.documentElement.dataset.theme);
    } catch { /* as above */ }
  },
};

function bar(label, value, isFirst) {
  const fill = node('span', { className: 'fill' });
  fill.style.width = `${100 * value}%`;
  return node(
    'li', { className: isFirst ? 'first' : '' },
    name(label),
    node('span', { className: 'track', 'aria-hidden': 'true' }, fill),
    node('span', { className: 'figure' }, figure(value)),
  );
}
