// ---- pictures: each stands once in the page, and may be shown in many places

const pictures = byId('pictures').textContent.split('\n');

function showPictures(place) {
  for (const image of place.querySelectorAll('img[data-picture]')) {
    image.decoding = 'async';
    image.src = `data:image/webp;base64,${pictures[Number(image.dataset.picture)]}`;
    image.removeAttribute('data-picture');
  }
}

// What is closed has its pictures once it is opened, or printed.
function showOpenPictures() {
  for (const model of document.querySelectorAll('details[open]')) {
    for (const list of model.querySelectorAll('.photos')) {
      if (!list.closest('[hidden]')) showPictures(list);
    }
  }
}

// ---- the cells of a confusion matrix

function setOpen(button, isOpen) {
  button.setAttribute('aria-expanded', String(isOpen));
  const cell = byId(button.getAttribute('aria-controls'));
  cell.hidden = !isOpen;
  if (isOpen) showPictures(cell);
  return cell;
}

function onCell(button) {
  const isOpen = button.getAttribute('aria-expanded') === 'true';
  const others = button.closest('.matrices').querySelectorAll('button[aria-expanded="true"]');
  others.forEach((other) => setOpen(other, false));
  if (!isOpen) setOpen(button, true).scrollIntoView({ block: 'nearest' });
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Cells without photos have no button, and are passed over.
function onArrow(event) {
  const move = MOVES[event.key];
  const button = event.target.closest('.cells button');
  if (!move || !button || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const { rows } = button.closest('table');
  let row = button.closest('tr').rowIndex;
  let column = button.closest('td').cellIndex;
  for (;;) {
    row += move[0];
    column += move[1];
    const cell = rows[row]?.cells[column];
    if (!cell || cell.tagName !== 'TD') return;
    const next = cell.querySelector('button');
    if (next) {
      next.focus();
      return;
    }
  }
}

// ---- tables that can be sorted

function keyOf(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.order !== undefined) return Number(cell.dataset.order);
  return cell.dataset.text ?? cell.textContent;
}

// Numbers before text; what is missing comes last, whichever way it is sorted.
function compare(one, other, sign) {
  if (one === '' || other === '') return (one === '') - (other === '');
  if (typeof one === 'number' && typeof other === 'number') return sign * (one - other);
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1;
  return sign * one.localeCompare(other, 'en', { numeric: true });
}

function sortBy(head) {
  const table = head.closest('table');
  const body = table.tBodies[0];
  const column = head.cellIndex;
  const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
  // the best first, as numbers go; the first first, as text goes
  const first = rows.some(([key]) => typeof key === 'number') ? 'descending' : 'ascending';
  const second = first === 'descending' ? 'ascending' : 'descending';
  const order = head.getAttribute('aria-sort') === first ? second : first;
  rows.sort(([one], [other]) => compare(one, other, order === 'ascending' ? 1 : -1));
  for (const other of table.tHead.querySelectorAll('[aria-sort]')) other.setAttribute('aria-sort', 'none');
  head.setAttribute('aria-sort', order);
  body.append(...rows.map(([, row]) => row));
}

// ---- on paper all is open

const opened = [];

function openAll() {
  for (const model of document.querySelectorAll('details:not([open])')) {
    model.open = true;
    opened.push(model);
  }
  showOpenPictures();
}

function closeAgain() {
  for (const model of opened.splice(0)) model.open = false;
}

function onClick(event) {
  const sorted = event.target.closest('.sortable thead button');
  const cell = event.target.closest('.cells button');
  if (sorted) sortBy(sorted.closest('th'));
  else if (cell) onCell(cell);
}

function openTarget() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === 'DETAILS') target.open = true;
}

theme.start();
showOpenPictures();
openTarget();
document.addEventListener('click', onClick);
document.addEventListener('keydown', onArrow);
document.querySelectorAll('details').forEach((model) => model.addEventListener('toggle', showOpenPictures));
addEventListener('hashchange', openTarget);
addEventListener('beforeprint', openAll);
addEventListener('afterprint', closeAgain);
