// Opens a report in headless Chromium as a reader would, and prints as JSON what there is to see and what went wrong.
//
//   node look.js REPORT.html [FOLDER]      FOLDER: where each view, and the page as printed, is left as a picture

const { chromium } = require('playwright-core');

const VIEWS = [
  { name: 'light', width: 1280, height: 900, colorScheme: 'light' },
  { name: 'dark', width: 1280, height: 900, colorScheme: 'dark' },
  { name: 'phone', width: 390, height: 844, colorScheme: 'light' },
];

// In millimetres.
const A4 = { width: 210, height: 297 };

// Runs in the page.
function inspect() {
  const colour = (element, property) => getComputedStyle(element)[property];
  const pictures = [...document.querySelectorAll('figure')].map((figure) => {
    const svg = figure.querySelector('svg');
    const box = svg ? svg.getBoundingClientRect() : { width: 0, height: 0 };
    const marks = svg ? [...svg.querySelectorAll('polyline, rect, path')] : [];
    const shown = marks.filter((mark) => {
      const { width, height } = mark.getBoundingClientRect();
      const painted = [colour(mark, 'stroke'), colour(mark, 'fill')].some((c) => c !== 'none');
      return painted && width + height > 0;
    });
    return {
      section: figure.closest('section').id,
      title: figure.querySelector('h3').textContent,
      described: svg ? svg.getAttribute('aria-label') : null,
      width: box.width,
      height: box.height,
      marks: shown.length,
      labels: svg ? svg.querySelectorAll('text').length : 0,
      labelHeight: svg ? Math.min(...[...svg.querySelectorAll('text')].map((t) => t.getBoundingClientRect().height)) : 0,
    };
  });
  return {
    title: document.title,
    headline: document.querySelector('h1').textContent,
    contract: (document.querySelector('.contract') || { textContent: '' }).textContent,
    // What a reader sees without scrolling.
    figuresOnTheFirstScreen: [...document.querySelectorAll('.figure')].filter(
      (figure) => figure.getBoundingClientRect().bottom < window.innerHeight
    ).length,
    pictures,
    tables: [...document.querySelectorAll('table')].map((table) => ({
      section: (table.closest('section') || { id: 'head' }).id,
      rows: table.tBodies[0].rows.length,
      width: table.scrollWidth,
      room: table.parentElement.clientWidth,
      filled: [...table.querySelectorAll('tbody td')].filter((cell) => !['', '–'].includes(cell.textContent.trim())).length,
    })),
    // What a comparison aims at, with what came of it.
    aims: [...document.querySelectorAll('table.aims tbody tr:not(.why)')].map((row) => ({
      text: row.textContent,
      verdict: row.cells[0].textContent,
      colour: colour(row.cells[0], 'color'),
      why: row.nextElementSibling && row.nextElementSibling.matches('.why') ? row.nextElementSibling.textContent : null,
      bottom: row.getBoundingClientRect().bottom / window.innerHeight,
    })),
    ratios: [...document.querySelectorAll('.ratio')].map((ratio) => ({
      text: ratio.textContent,
      verdict: ratio.className.replace('ratio', '').trim(),
      colour: colour(ratio, 'color'),
    })),
    links: [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')),
    paper: colour(document.body, 'backgroundColor'),
    ink: colour(document.body, 'color'),
    lines: [...new Set([...document.querySelectorAll('[class^=s-run]')].map((line) => colour(line, 'stroke')))],
    overflow: document.documentElement.scrollWidth - window.innerWidth,
  };
}

// Runs in the page: the margins at the sides that it wants printed, in millimetres.
function sideMargins() {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const printed = rules.filter((rule) => rule.media && rule.media.mediaText === 'print').flatMap((rule) => [...rule.cssRules]);
  const page = printed.find((rule) => rule instanceof CSSPageRule);
  return [page.style.marginLeft, page.style.marginRight].reduce((sum, margin) => {
    if (!margin.endsWith('mm')) throw new Error(`a margin of ${margin}: say it in mm`);
    return sum + parseFloat(margin);
  }, 0);
}

(async () => {
  const [report, folder] = process.argv.slice(2);
  const address = `file://${require('path').resolve(report)}`;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  const seen = { errors: [], requests: [], views: {} };
  try {
    for (const { name, width, height, colorScheme } of VIEWS) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      page.on('console', (message) => seen.errors.push(`${message.type()}: ${message.text()}`));
      page.on('pageerror', (error) => seen.errors.push(String(error)));
      page.on('request', (request) => {
        if (request.url() !== address && !request.url().startsWith('data:')) seen.requests.push(request.url());
      });
      await page.goto(address);
      seen.views[name] = await page.evaluate(inspect);
      if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
      await context.close();
    }
    const page = await browser.newPage();
    await page.goto(address);
    // What has no room on the paper shrinks all the rest when it is printed.
    const width = Math.floor(((A4.width - (await page.evaluate(sideMargins))) * 96) / 25.4);
    await page.setViewportSize({ width, height: Math.floor((A4.height * 96) / 25.4) });
    await page.emulateMedia({ media: 'print' });
    seen.printed = await page.evaluate(inspect);
    if (folder) {
      await page.screenshot({ path: `${folder}/print.png`, fullPage: true });
      await page.pdf({ format: 'A4', path: `${folder}/print.pdf` });
    }
    seen.printedBytes = (await page.pdf({ format: 'A4' })).length;
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
