const data = JSON.parse(byId('data').textContent);
const photos = data.photos;
const tiles = []; // by the number of the photo, its <li>
const links = []; // and the <a> in it
const shown = []; // and whether it fits the filters
let order = []; // the numbers of those that do
let active = -1; // the number of the one that Tab leads to
let large = -1; // the number of the one that is seen large

// ---- thumbnails: text in the page, pictures only while they are near the window

const read = new Map();

function thumbnail(number) {
  const photo = photos[number];
  const block = Math.floor(number / data.block);
  if (!read.has(block)) {
    const found = byId(`block-${block}`);
    // one that is followed by nothing may not be here to its end yet
    if (!found || (document.readyState === 'loading' && !found.nextElementSibling)) return null;
    read.set(block, found.textContent.split('\n'));
    found.remove();
  }
  const content = read.get(block)[number % data.block];
  return photo.colour && content ? `data:${data.type};base64,${content}` : '';
}

function showPicture(number) {
  if (!photos[number].colour || links[number].querySelector('img')) return;
  const source = thumbnail(number);
  if (source === null) {
    document.addEventListener('DOMContentLoaded', () => isNear.has(number) && showPicture(number), { once: true });
    return;
  }
  links[number].prepend(node('img', { alt: '', decoding: 'async', draggable: false, src: source }));
}

function hidePicture(number) {
  links[number].querySelector('img')?.remove();
}

const isNear = new Set();

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const number = Number(entry.target.dataset.number);
    if (entry.isIntersecting) {
      isNear.add(number);
      showPicture(number);
    } else {
      isNear.delete(number);
      hidePicture(number);
    }
  }
}, { rootMargin: '800px 0px' });

// ---- the page, drawn once

const label = (photo) => (photo.label === null ? null : data.labels[photo.label]);

function caption(photo) {
  const said = label(photo) ?? `uncertain, perhaps ${data.labels[photo.best]}`;
  return [`${photo.file}: ${said}, ${figure(photo.confidence)}`, photo.sentiment].filter(Boolean).join(', ');
}

function tile(photo, number) {
  const link = node(
    'a',
    { className: photo.colour ? 'tile' : 'tile bare', tabIndex: -1, 'aria-label': caption(photo), 'aria-haspopup': 'dialog' },
    node('span', { className: 'say' }, node('span', { className: 'figure' }, figure(photo.confidence)), name(photo.file)),
  );
  if (photo.link) link.href = photo.link;
  else link.setAttribute('role', 'button');
  if (!photo.colour) link.firstChild.append(node('span', {}, 'no picture'));
  const item = node('li', {}, link);
  item.dataset.number = number;
  if (photo.colour) link.style.backgroundColor = photo.colour;
  const ratio = photo.colour ? photo.width / photo.height : 1.4;
  item.style.setProperty('--ratio', Math.min(3, Math.max(0.5, ratio)).toFixed(3));
  tiles[number] = item;
  links[number] = link;
  shown[number] = true;
  return item;
}

function countOf(group) {
  const kept = group.to - group.from;
  const all = `${many(group.count)} ${group.count === 1 ? 'photo' : 'photos'}`;
  return kept < group.count ? `${all}, the ${many(kept)} surest are here` : all;
}

function drawGroups() {
  data.groups.forEach((group, index) => {
    group.id = `group-${index}`;
    const list = node('ul', { className: 'tiles', role: 'list' });
    for (let number = group.from; number < group.to; number++) list.append(tile(photos[number], number));
    group.note = node('small');
    const title = group.label === null ? node('span', {}, 'uncertain') : name(data.labels[group.label]);
    group.section = node('section', {}, node('h2', { id: group.id }, title, ' ', group.note), list);
    group.section.setAttribute('aria-labelledby', group.id);
    byId('gallery').append(group.section);
  });
  for (const refused of data.refused) {
    const kept = refused.rows.length;
    refused.list = node('ul', { className: 'refused', role: 'list' });
    refused.items = refused.rows.map((row) => node('li', {}, path(row.path), node('span', {}, ` – ${row.reason}`)));
    refused.list.append(...refused.items);
    refused.note = node('small');
    refused.section = node('section', {}, node('h2', {}, refused.status, ' ', refused.note), refused.list);
    if (kept < refused.count) {
      refused.section.append(node('p', { className: 'more' }, `… and ${many(refused.count - kept)} more, which are not listed here.`));
    }
    byId('gallery').append(refused.section);
  }
  tiles.forEach((item) => watcher.observe(item));
}

function drawAbout() {
  const uncertain = data.groups.find((group) => group.label === null)?.count ?? 0;
  const parts = [['tagged', data.total - uncertain], ['uncertain', uncertain], ...data.refused.map((one) => [one.status, one.count])];
  const all = parts.reduce((sum, [, count]) => sum + count, 0);
  const said = parts.filter(([status, count]) => count || status === 'tagged').map(([status, count]) => `${many(count)} ${status}`);
  byId('about').append(`${many(all)} ${all === 1 ? 'photo' : 'photos'}: ${said.join(', ')}`);
  const left = data.left
    ? `${many(data.left)} photos are left out: the page holds the ${many(photos.length)} surest, shared among the emotions. `
    : '';
  byId('footer').append(
    left, 'Tagged by the model ', name(data.model), ` with emotag ${data.version}. `,
    'A model says what a photo seems to depict, not what anyone in it feels.',
  );
}

// ---- filters

const filters = { labels: new Set(), statuses: new Set(), sentiment: '', least: 0, most: 100, search: '' };

function chip(text, count, kind, isPressed, press) {
  const made = node('button', { type: 'button', className: kind }, text);
  if (count !== null) made.append(' ', node('span', { className: 'many' }, many(count)));
  made.press = () => made.setAttribute('aria-pressed', String(isPressed()));
  made.addEventListener('click', () => { press(); apply(); });
  return made;
}

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
}

function drawFilters() {
  for (const group of data.groups) {
    const isLabel = group.label !== null;
    const set = isLabel ? filters.labels : filters.statuses;
    const value = isLabel ? group.label : 'uncertain';
    byId('labels').append(chip(
      isLabel ? name(data.labels[value]) : value, group.count, isLabel ? '' : 'status',
      () => set.has(value), () => toggle(set, value),
    ));
  }
  for (const { status, count } of data.refused) {
    byId('labels').append(chip(status, count, 'status', () => filters.statuses.has(status), () => toggle(filters.statuses, status)));
  }
  const known = data.sentiments.filter((sentiment) => photos.some((photo) => photo.sentiment === sentiment));
  for (const sentiment of known) {
    byId('sentiments').append(chip(
      sentiment, null, '', () => filters.sentiment === sentiment,
      () => { filters.sentiment = filters.sentiment === sentiment ? '' : sentiment; },
    ));
  }
  byId('sentiments').hidden = !known.length;
  for (const [id, limit] of [['least', Math.min], ['most', Math.max]]) {
    const other = id === 'least' ? 'most' : 'least';
    byId(id).addEventListener('input', () => {
      filters[id] = limit(Number(byId(id).value), filters[other]);
      later(apply);
    });
  }
  byId('search').addEventListener('input', () => {
    filters.search = byId('search').value;
    later(apply);
  });
  byId('reset').addEventListener('click', reset);
}

// Once a frame is enough, however fast a slider moves.
let waiting = false;
function later(work) {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; work(); });
}

function empty() {
  Object.assign(filters, { sentiment: '', least: 0, most: 100, search: '' });
  filters.labels.clear();
  filters.statuses.clear();
}

function reset() {
  empty();
  apply();
}

const isAnyLabel = () => !filters.labels.size && !filters.statuses.size;

const fold = (text) => text.normalize('NFC').toLowerCase();

function matcher() {
  const wanted = fold(filters.search.trim());
  const isSearched = (texts) => !wanted || texts.some((text) => text && fold(text).includes(wanted));
  const any = isAnyLabel();
  const least = filters.least / 100;
  const most = filters.most / 100;
  // as rounded to what is shown, so that 0.42 is in 0.42 to 0.42
  const isWithin = (value) => Math.round(value * 100) / 100 >= least && Math.round(value * 100) / 100 <= most;
  const isWhole = !filters.sentiment && filters.least === 0 && filters.most === 100;
  return {
    photo: (photo) =>
      (any || (photo.label === null ? filters.statuses.has('uncertain') : filters.labels.has(photo.label))) &&
      (!filters.sentiment || photo.sentiment === filters.sentiment) &&
      isWithin(photo.confidence) && isSearched([photo.path, photo.because]),
    // what could not be read has neither sentiment nor confidence
    refused: (status, row) => isWhole && (any || filters.statuses.has(status)) && isSearched([row.path, row.reason]),
  };
}

function apply() {
  const fits = matcher();
  order = [];
  let refusedShown = 0;
  for (const group of data.groups) {
    let inGroup = 0;
    for (let number = group.from; number < group.to; number++) {
      const fit = fits.photo(photos[number]);
      if (fit !== shown[number]) {
        tiles[number].hidden = !fit;
        shown[number] = fit;
      }
      if (fit) {
        order.push(number);
        inGroup++;
      }
    }
    group.section.hidden = !inGroup;
    group.note.textContent = inGroup < group.to - group.from ? `${many(inGroup)} of ${countOf(group)}` : countOf(group);
  }
  for (const refused of data.refused) {
    let inList = 0;
    refused.rows.forEach((row, index) => {
      const fit = fits.refused(refused.status, row);
      refused.items[index].hidden = !fit;
      inList += fit;
    });
    refused.section.hidden = !inList;
    refused.note.textContent = many(refused.count);
    refusedShown += inList;
  }
  say(order.length + refusedShown);
  if (!shown[active]) activate(order.length ? order[0] : -1);
  save();
}

function say(count) {
  const whole = photos.length + data.refused.reduce((sum, one) => sum + one.rows.length, 0);
  byId('count').textContent = count === whole ? `${many(whole)} shown` : `${many(count)} of ${many(whole)} shown`;
  byId('empty').hidden = count > 0;
  byId('reset').hidden = isUnfiltered();
  for (const made of document.querySelectorAll('.chips button')) made.press();
  for (const id of ['least', 'most']) byId(id).value = filters[id];
  if (byId('search').value !== filters.search) byId('search').value = filters.search;
  byId('range').textContent = `${figure(filters.least / 100)} to ${figure(filters.most / 100)}`;
  byId('least').setAttribute('aria-valuetext', figure(filters.least / 100));
  byId('most').setAttribute('aria-valuetext', figure(filters.most / 100));
  const track = byId('least').parentElement.style;
  track.setProperty('--from', `${filters.least}%`);
  track.setProperty('--to', `${filters.most}%`);
  // two knobs on one spot: the one that can still move is on top
  byId('least').style.zIndex = filters.least > 50 ? 1 : 0;
}

function isUnfiltered() {
  return isAnyLabel() && !filters.sentiment && filters.least === 0 && filters.most === 100 && !filters.search.trim();
}

// ---- the view in the address, so that it can be kept and shared

function address() {
  const said = new URLSearchParams();
  for (const index of filters.labels) said.append('emotion', data.labels[index]);
  for (const status of filters.statuses) said.append('status', status);
  if (filters.sentiment) said.set('sentiment', filters.sentiment);
  if (filters.least > 0) said.set('least', figure(filters.least / 100));
  if (filters.most < 100) said.set('most', figure(filters.most / 100));
  if (filters.search.trim()) said.set('search', filters.search.trim());
  if (large >= 0) said.set('photo', photos[large].path);
  return said.toString();
}

let saving = 0;
function save() {
  clearTimeout(saving);
  saving = setTimeout(() => {
    const said = address();
    if (location.hash.slice(1) === said) return;
    try {
      history.replaceState(null, '', said ? `#${said}` : '#');
    } catch { /* a browser may not want it so often; the next change says it again */ }
  }, 200);
}

function percent(text, otherwise) {
  const value = Math.round(Number(text) * 100);
  return text !== null && value >= 0 && value <= 100 ? value : otherwise;
}

function restore() {
  const said = new URLSearchParams(location.hash.slice(1));
  const statuses = ['uncertain', ...data.refused.map((one) => one.status)];
  empty();
  for (const group of data.groups) {
    if (group.label !== null && said.getAll('emotion').includes(data.labels[group.label])) filters.labels.add(group.label);
  }
  for (const status of statuses) {
    if (said.getAll('status').includes(status)) filters.statuses.add(status);
  }
  filters.sentiment = data.sentiments.includes(said.get('sentiment')) ? said.get('sentiment') : '';
  filters.least = percent(said.get('least'), 0);
  filters.most = Math.max(filters.least, percent(said.get('most'), 100));
  filters.search = said.get('search') ?? '';
  apply();
  const wanted = photos.findIndex((photo) => photo.path === said.get('photo'));
  if (wanted >= 0) open(wanted);
  else if (byId('viewer').open) byId('viewer').close();
}

// ---- from tile to tile

function activate(number) {
  if (links[active]) links[active].tabIndex = -1;
  active = number;
  if (links[active]) links[active].tabIndex = 0;
}

function focusOn(number) {
  if (number < 0 || number === undefined) return;
  activate(number);
  byId('gallery').style.setProperty('--bar', getComputedStyle(byId('filters')).position === 'sticky' ? `${byId('filters').offsetHeight}px` : '0px');
  tiles[number].scrollIntoView({ block: 'nearest' });
  links[number].focus({ preventScroll: true });
}

const topOf = (number) => Math.round(tiles[number].getBoundingClientRect().top);

// The tile above or below: in the next row, the one whose middle is nearest to where one began.
let column = null;
function vertical(step) {
  const middle = (number) => {
    const box = tiles[number].getBoundingClientRect();
    return box.left + box.width / 2;
  };
  column ??= middle(active);
  let at = order.indexOf(active);
  const row = topOf(active);
  while (order[at] !== undefined && Math.abs(topOf(order[at]) - row) < 3) at += step;
  if (order[at] === undefined) return active;
  const next = topOf(order[at]);
  let best = order[at];
  for (; order[at] !== undefined && Math.abs(topOf(order[at]) - next) < 3; at += step) {
    if (Math.abs(middle(order[at]) - column) < Math.abs(middle(best) - column)) best = order[at];
  }
  return best;
}

const MOVES = {
  ArrowLeft: () => order[order.indexOf(active) - 1] ?? active,
  ArrowRight: () => order[order.indexOf(active) + 1] ?? active,
  ArrowUp: () => vertical(-1),
  ArrowDown: () => vertical(1),
  Home: () => order[0],
  End: () => order[order.length - 1],
};

const KEYS = {
  '/': () => byId('search').focus(),
  f: () => byId('labels').querySelector('button')?.focus(),
  g: () => focusOn(active),
  x: reset,
  t: () => theme.toggle(),
  '?': () => byId('help').showModal(),
};

function onTileKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || !event.target.closest('.tile')) return false;
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') column = null;
  if (event.key === 'Enter' || event.key === ' ') open(active);
  else if (event.key in MOVES && active >= 0) focusOn(MOVES[event.key]());
  else return false;
  return true;
}

function onKey(event) {
  if (byId('help').open) return;
  if (byId('viewer').open ? onViewerKey(event) : onTileKey(event)) {
    event.preventDefault();
    return;
  }
  const isTyping = event.target.matches('input[type="search"]');
  if (isTyping && event.key === 'Escape') {
    filters.search = '';
    apply();
    focusOn(active);
    event.preventDefault();
  } else if (isTyping && event.key === 'Enter') {
    focusOn(active);
    event.preventDefault();
  } else if (!isTyping && !event.altKey && !event.ctrlKey && !event.metaKey && event.key in KEYS) {
    if (byId('viewer').open && event.key !== 't') return;
    KEYS[event.key]();
    event.preventDefault();
  }
}

// ---- one photo, large

function open(number) {
  if (number < 0) return;
  large = number;
  drawLarge();
  if (!byId('viewer').open) byId('viewer').showModal();
  save();
}

function step(by) {
  const at = order.indexOf(large);
  const next = at < 0 ? undefined : order[at + by];
  if (next !== undefined) open(next);
}

function onViewerKey(event) {
  if (event.key === 'ArrowLeft') step(-1);
  else if (event.key === 'ArrowRight') step(1);
  else if (event.key === 'Home') open(order[0] ?? large);
  else if (event.key === 'End') open(order[order.length - 1] ?? large);
  else return false;
  return true;
}

function fact(term, said) {
  return node('div', {}, node('dt', {}, term), node('dd', {}, said));
}

function drawLarge() {
  const photo = photos[large];
  const at = order.indexOf(large);
  drawStage(photo, large);
  byId('place').textContent = at < 0 ? '' : `${many(at + 1)} of ${many(order.length)}`;
  const emotion = label(photo);
  byId('says').replaceChildren(
    emotion === null ? 'uncertain' : name(emotion),
    ' ',
    node('small', {}, `${figure(photo.confidence)}${photo.sentiment ? ` · ${photo.sentiment}` : ''}`),
  );
  byId('name').replaceChildren(path(photo.path));
  byId('facts').replaceChildren();
  if (emotion === null) byId('facts').append(fact('Perhaps', name(data.labels[photo.best])));
  if (photo.because) byId('facts').append(fact('Because', name(photo.because)));
  if (photo.positive !== null) byId('facts').append(fact('Positive', figure(photo.positive)));
  if (photo.width) byId('facts').append(fact('Size', `${many(photo.width)} × ${many(photo.height)}`));
  if (photo.reason) byId('facts').append(fact('Note', name(photo.reason)));
  const ranked = photo.probabilities.map((value, index) => [value, index]).sort((one, other) => other[0] - one[0]);
  byId('bars').replaceChildren(...ranked.map(([value, index], rank) => bar(data.labels[index], value, rank === 0)));
  byId('original').hidden = !photo.link;
  if (photo.link) byId('original').href = photo.link;
  byId('previous').disabled = at <= 0;
  byId('next').disabled = at < 0 || at === order.length - 1;
}

// The thumbnail first, and the photo itself over it once it is there, if it still is.
function drawStage(photo, number) {
  const source = photo.colour ? thumbnail(number) : '';
  if (!source && !photo.link) {
    byId('stage').replaceChildren(node('p', { className: 'none' }, 'No picture: the photo could not be read again.'));
    return;
  }
  const frame = node('div', { className: 'frame' });
  frame.style.setProperty('--ratio', photo.colour ? photo.width / photo.height : 1.5);
  // a small photo is enlarged, but not beyond what it can bear
  frame.style.setProperty('--most', photo.colour ? `${2 * photo.width}px` : '100cqw');
  if (source) frame.append(node('img', { alt: caption(photo), src: source }));
  if (photo.link) {
    const original = node('img', { alt: '', decoding: 'async' });
    original.addEventListener('error', () => {
      original.remove();
      if (large === number) byId('facts').append(fact('Shown', source ? 'the thumbnail: the photo itself is not there, or of a format that browsers do not show' : 'nothing: the photo is not there'));
    });
    original.src = photo.link;
    frame.append(original);
  }
  byId('stage').replaceChildren(frame);
}

function onClose() {
  const last = large;
  large = -1;
  byId('stage').replaceChildren();
  if (shown[last]) focusOn(last);
  save();
}

// ---- on paper there is no window to be near to

function showAllPictures() {
  order.forEach((number) => showPicture(number));
}

function start() {
  theme.start();
  drawAbout();
  drawGroups();
  drawFilters();
  byId('gallery').addEventListener('click', (event) => {
    const link = event.target.closest('.tile');
    // with a modifier a click opens the file itself, as on any link
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    activate(Number(link.parentElement.dataset.number));
    open(active);
  });
  byId('previous').addEventListener('click', () => step(-1));
  byId('next').addEventListener('click', () => step(1));
  byId('close').addEventListener('click', () => byId('viewer').close());
  byId('viewer').addEventListener('close', onClose);
  byId('help-button').addEventListener('click', () => byId('help').showModal());
  document.addEventListener('keydown', onKey);
  addEventListener('hashchange', restore);
  addEventListener('beforeprint', showAllPictures);
  addEventListener('afterprint', () => order.forEach((number) => isNear.has(number) || hidePicture(number)));
  restore();
}

start();
